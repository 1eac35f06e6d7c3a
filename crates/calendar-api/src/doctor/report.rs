//! The findings, one line each.

use std::fmt::{self, Display};

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    /// Another check has to pass first, or there is nothing to check.
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub outcome: Outcome,
    pub found: String,
    /// How to fix it. Only for failed checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
}

/// All checks, in the order in which they run.
pub const CHECKS: [&str; 19] = [
    "configuration",
    "database",
    "schema",
    "backup",
    "keys",
    "zone-rules",
    "broker",
    "oauth-client",
    "redirect-uri",
    "clock",
    "certificate",
    "robots.txt",
    "webhook",
    "api",
    "socket",
    "scopes",
    "consent-screen",
    "channels",
    "quota",
];

impl Report {
    pub fn ok(&mut self, check: &'static str, found: impl Display) {
        self.add(check, Outcome::Ok, found, None);
    }

    pub fn failed(&mut self, check: &'static str, found: impl Display, remedy: impl Display) {
        self.add(check, Outcome::Failed, found, Some(remedy.to_string()));
    }

    pub fn skipped(&mut self, check: &'static str, found: impl Display) {
        self.add(check, Outcome::Skipped, found, None);
    }

    pub fn skip_the_rest(&mut self, found: &str) {
        for check in CHECKS {
            if !self.has(check) {
                self.skipped(check, found);
            }
        }
    }

    pub fn has(&self, check: &str) -> bool {
        self.findings.iter().any(|finding| finding.check == check)
    }

    pub fn passed(&self, check: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.check == check && finding.outcome == Outcome::Ok)
    }

    /// Nothing failed.
    pub fn is_healthy(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.outcome != Outcome::Failed)
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, found: impl Display, remedy: Option<String>) {
        self.findings.push(Finding {
            check,
            outcome,
            found: found.to_string(),
            remedy,
        });
    }
}

impl Display for Report {
    /// `✓ database        Postgres 17.2`; for a failed check, the remedy after an arrow.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let sign = match finding.outcome {
                Outcome::Ok => '✓',
                Outcome::Failed => '✗',
                Outcome::Skipped => '–',
            };
            write!(f, "{sign} {:15} {}", finding.check, finding.found)?;
            if let Some(remedy) = &finding.remedy {
                write!(f, " → {remedy}")?;
            }
            writeln!(f)?;
        }
        let failed = self
            .findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::Failed)
            .count();
        match failed {
            0 => writeln!(f, "\nAll checks passed."),
            1 => writeln!(f, "\n1 check failed."),
            more => writeln!(f, "\n{more} checks failed."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_finding_and_remedy() {
        let mut report = Report::default();
        report.ok("database", "Postgres 17.2");
        report.failed("schema", "it is behind", "run `calendar-api migrate`");
        report.skipped("socket", "there is no PUBLIC_URL");
        insta::assert_snapshot!(report.to_string(), @"
        ✓ database        Postgres 17.2
        ✗ schema          it is behind → run `calendar-api migrate`
        – socket          there is no PUBLIC_URL

        1 check failed.
        ");
        assert!(!report.is_healthy());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["findings"][1]["outcome"], "failed");
        assert_eq!(json["findings"][0].get("remedy"), None);
    }
}
