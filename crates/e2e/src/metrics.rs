//! A service's metrics, read as Prometheus reads them.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// One answer of `/metrics`.
#[derive(Debug, Clone)]
pub struct Scrape(String);

impl Scrape {
    pub async fn of(url: &str) -> Result<Self> {
        let answer = reqwest::get(url).await?;
        ensure!(answer.status().is_success(), "{url}: {}", answer.status());
        Ok(Self(answer.text().await?))
    }

    /// The sum over a metric's series that have all of `labels`, each as `name="value"`. None: there is no such series.
    pub fn sum(&self, metric: &str, labels: &[&str]) -> Option<f64> {
        let values: Vec<f64> = self
            .series()
            .filter(|(name, theirs, _)| *name == metric && labels.iter().all(|label| theirs.contains(label)))
            .filter_map(|(.., value)| value.parse().ok())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// The names of all series, as a query names them.
    pub fn names(&self) -> BTreeSet<String> {
        self.series().map(|(name, ..)| name.to_owned()).collect()
    }

    /// The names of all declared metrics.
    pub fn declared(&self) -> BTreeSet<String> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Name, labels and value of each line.
    fn series(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                Some((name, labels, value))
            })
    }
}
