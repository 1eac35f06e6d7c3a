//! Where the browser goes after connecting: a page of the application that asked, and nowhere else.

use url::Url;

use crate::config::Origin;

const MAX_LEN: usize = 512;

/// A path of the application, with its query and fragment: `/settings?tab=calendar`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Accepts what begins with one `/` and stays below it whatever a browser, a proxy or a router makes of it: no
    /// second slash, no dot segments, no backslash, no control characters, neither plain nor escaped. Text that is not
    /// ASCII comes escaped, as `location.pathname` has it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected a path of your application, such as /settings, in at most 512 characters";
        let path_end = text.find(['?', '#']).unwrap_or(text.len());
        let (path, rest) = text.split_at(path_end);
        let path = path.to_ascii_lowercase();
        let plain = |text: &str| {
            text.bytes()
                .all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\')
        };
        let escapes = ["%2f", "%5c", "%2e", "%0", "%1", "%7f"];
        let harmless = text.len() <= MAX_LEN
            && path.starts_with('/')
            && !path.contains("//")
            && plain(&path)
            && plain(rest)
            && !escapes.iter().any(|escape| path.contains(escape))
            && !["%00", "%0a", "%0d"]
                .iter()
                .any(|escape| rest.to_ascii_lowercase().contains(escape))
            && !path.split('/').any(|segment| matches!(segment, "." | ".."));
        if harmless {
            Ok(Self(text.to_owned()))
        } else {
            Err(EXPECTED)
        }
    }

    /// The whole address.
    pub fn below(&self, origin: &Origin) -> Url {
        origin.join(&self.0)
    }
}

impl Default for ReturnTo {
    fn default() -> Self {
        Self("/".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> serde_json::Value {
        serde_json::from_str(include_str!("../../corpus/return_to.json")).unwrap()
    }

    #[test]
    fn paths_of_the_application_are_kept_as_they_are() {
        let origin: Origin = "https://app.example".parse().unwrap();
        for good in corpus()["accepted"].as_array().unwrap() {
            let good = good.as_str().unwrap();
            let url = ReturnTo::parse(good).unwrap().below(&origin);
            assert_eq!(url.as_str(), format!("https://app.example{good}"));
        }
    }

    #[test]
    fn nothing_leads_away() {
        let corpus = corpus();
        let attacks = corpus["refused"].as_array().unwrap();
        assert!(attacks.len() >= 60);
        for attack in attacks.iter().map(|attack| attack.as_str().unwrap()) {
            assert!(ReturnTo::parse(attack).is_err(), "{attack:?}");
        }
        assert!(ReturnTo::parse(&format!("/{}", "x".repeat(MAX_LEN))).is_err());
    }
}
