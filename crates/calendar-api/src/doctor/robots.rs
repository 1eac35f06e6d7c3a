//! `robots.txt` as Google's fetcher of push notifications reads it.
//!
//! It is `APIs-Google`, which ignores the rules for `*`:
//! <https://developers.google.com/search/docs/crawling-indexing/google-special-case-crawlers>. Rules, wildcards and their
//! order of precedence: <https://developers.google.com/search/docs/crawling-indexing/robots/robots_txt>.

/// Whether `path` is forbidden. The longest matching rule decides; of two equally long ones, the one that allows.
pub fn forbids(robots: &str, path: &str) -> bool {
    let (mut applies, mut in_rules, mut longest) = (false, false, (0, true));
    for line in robots.trim_start_matches('\u{feff}').lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match field.trim().to_lowercase().as_str() {
            "user-agent" => {
                applies = is_google(value) || (applies && !in_rules);
                in_rules = false;
            }
            rule @ ("allow" | "disallow") => {
                in_rules = true;
                let allows = rule == "allow";
                let (length, _) = longest;
                if applies
                    && !value.is_empty()
                    && matches(value, path)
                    && (value.len() > length || value.len() == length && allows)
                {
                    longest = (value.len(), allows);
                }
            }
            _ => {}
        }
    }
    !longest.1
}

/// A group is named by a product token; a version behind it is ignored.
fn is_google(agent: &str) -> bool {
    let token = agent
        .split(|c: char| !c.is_ascii_alphabetic() && c != '-' && c != '_')
        .next();
    token.is_some_and(|token| token.eq_ignore_ascii_case("APIs-Google"))
}

/// `*` is any text; `$` at the end is the end of the path, otherwise the rule is a prefix.
fn matches(rule: &str, path: &str) -> bool {
    let (rule, to_end) = match rule.strip_suffix('$') {
        Some(rule) => (rule, true),
        None => (rule, false),
    };
    let (first, others) = match rule.split_once('*') {
        Some((first, others)) => (first, Some(others)),
        None => (rule, None),
    };
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let Some(others) = others else {
        return !to_end || rest.is_empty();
    };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    for part in middle.split('*') {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    if to_end {
        rest.ends_with(last)
    } else {
        rest.contains(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: &str = "/api/calendar/webhook";

    #[test]
    fn only_the_groups_of_apis_google_apply() {
        for (robots, forbidden) in [
            ("", false),
            ("User-agent: *\nDisallow: /\n", false),
            ("User-agent: APIs-Google\nDisallow: /\n", true),
            ("User-agent: apis-google/1.0\nDisallow: /api # no robots\n", true),
            ("User-agent: APIs-Google\nDisallow:\n", false),
            (
                "User-agent: *\nDisallow: /\nUser-agent: APIs-Google\nAllow: /\n",
                false,
            ),
            (
                "User-agent: *\nAllow: /\n\nUser-agent: APIs-Google\nDisallow: /\n",
                true,
            ),
            (
                "User-agent: APIs-Google\nUser-agent: Somebot\nDisallow: /\n",
                true,
            ),
            (
                "User-agent: APIs-Google\nAllow: /x\nUser-agent: Somebot\nDisallow: /\n",
                false,
            ),
            // Two groups of one agent are one.
            (
                "User-agent: APIs-Google\nAllow: /x\nUser-agent: a\nAllow: /\nUser-agent: APIs-Google\nDisallow: /api\n",
                true,
            ),
            ("User-agent: APIs-Google-Extended\nDisallow: /\n", false),
        ] {
            assert_eq!(forbids(robots, HOOK), forbidden, "{robots:?}");
        }
    }

    #[test]
    fn the_longest_rule_decides_and_wildcards_stand_anywhere() {
        for (rules, forbidden) in [
            ("Disallow: /\nAllow: /api/", false),
            ("Allow: /api\nDisallow: /api/calendar", true),
            ("Disallow: /api\nAllow: /api", false),
            ("Disallow: /*/webhook", true),
            ("Disallow: /*/calendar/*ook$", true),
            ("Disallow: /*calendar$", false),
            ("Disallow: /api/calendar/webhook$", true),
            ("Disallow: /api/calendar/web$", false),
            ("Disallow: *webhook*", true),
            ("Disallow: /api/*/*/webhook", false),
            ("Disallow: /a*a*a*a*k$\nAllow: /api/calendar/", false),
        ] {
            let robots = format!("User-agent: APIs-Google\n{rules}\n");
            assert_eq!(forbids(&robots, HOOK), forbidden, "{rules:?}");
        }
    }
}
