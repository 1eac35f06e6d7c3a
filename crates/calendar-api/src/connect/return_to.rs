//! The page that the browser returns to after connecting: always one of the calling application.

use url::Url;

use crate::origin::Origin;

const MAX_LEN: usize = 512;

/// A path of the application, with its query and fragment: `/settings?tab=calendar`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Accepts a path that stays on its origin however a browser, a proxy or a router reads it: it begins with one `/` and has
    /// no second slash, no dot segments, no backslash and no control characters, neither plain nor escaped. Non-ASCII text has
    /// to be escaped, as in `location.pathname`.
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

    /// The whole URL.
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
    fn paths_of_the_application_are_unchanged() {
        let origin: Origin = "https://app.example".parse().unwrap();
        for good in corpus()["accepted"].as_array().unwrap() {
            let good = good.as_str().unwrap();
            let url = ReturnTo::parse(good).unwrap().below(&origin);
            assert_eq!(url.as_str(), format!("https://app.example{good}"));
        }
    }

    #[test]
    fn paths_to_other_origins_are_rejected() {
        let corpus = corpus();
        let attacks = corpus["refused"].as_array().unwrap();
        assert!(attacks.len() >= 60);
        for attack in attacks.iter().map(|attack| attack.as_str().unwrap()) {
            assert!(ReturnTo::parse(attack).is_err(), "{attack:?}");
        }
        assert!(ReturnTo::parse(&format!("/{}", "x".repeat(MAX_LEN))).is_err());
    }
}
