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

    #[test]
    fn paths_of_the_application_are_kept_as_they_are() {
        let origin: Origin = "https://app.example".parse().unwrap();
        for good in [
            "/",
            "/settings",
            "/settings/",
            "/a/b-c_d.e~f/g",
            "/settings?tab=calendar&next=%2Fhome",
            "/settings#calendar",
            "/caf%C3%A9",
            "/a%20b",
            "/@alice",
            "/a:b",
            "/...",
            "/.well-known/x",
            "/?url=https://elsewhere.example//x",
        ] {
            let url = ReturnTo::parse(good).unwrap().below(&origin);
            assert_eq!(url.as_str(), format!("https://app.example{good}"));
        }
    }

    #[test]
    fn nothing_leads_away() {
        let attacks = [
            "",
            " ",
            "settings",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/%2fevil.example",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "/x//evil.example",
            "/x/..//evil.example",
            "/./evil",
            "/../evil",
            "/..",
            "/.",
            "/x/../../evil",
            "/%2e%2e/evil",
            "/%2E%2E/evil",
            "/.%2e/evil",
            "/x/%2e",
            "https://evil.example",
            "HTTPS://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "http://app.example@evil.example/",
            "//app.example@evil.example/",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "blob:https://evil.example/x",
            "file:///etc/passwd",
            "mailto:a@evil.example",
            "?next=/x",
            "#x",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nLocation: https://evil.example",
            "/x\r\nSet-Cookie: a=b",
            "/x%0d%0aSet-Cookie:%20a=b",
            "/x%0D%0ALocation:%20https://evil.example",
            "/x?a=%0d%0aSet-Cookie:%20a=b",
            "/x?a=\r\nb",
            "/x%00",
            "/x?a=%00",
            "/%09/evil.example",
            "/%1f",
            "/%7f",
            "/x y",
            "/\u{a0}/evil.example",
            "/\u{2028}evil",
            "/\u{202e}evil",
            "\u{ff0f}\u{ff0f}evil.example",
            "/\u{ff0f}evil.example",
            "/\u{2044}evil.example",
            "/\u{3002}evil",
            "/\u{e4}",
            "/x?q=\u{e4}",
            "\u{feff}/x",
            "/x\\..\\evil",
            "/x?a=\\",
        ];
        assert!(attacks.len() >= 60);
        for attack in attacks {
            assert!(ReturnTo::parse(attack).is_err(), "{attack:?}");
        }
        assert!(ReturnTo::parse(&format!("/{}", "x".repeat(MAX_LEN))).is_err());
    }
}
