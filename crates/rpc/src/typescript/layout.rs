//! Lays out the one-line types of ts-rs.

use std::fmt::Write as _;

/// Prettier's `printWidth` in this repository.
pub const WIDTH: usize = 120;

/// The declaration of `name`, whose definition ts-rs gives as `text`.
pub fn declaration(name: &str, text: &str) -> String {
    let mut parser = Parser { rest: text };
    let definition = parser.union();
    assert!(parser.rest.trim().is_empty(), "cannot parse: {}", parser.rest);
    let head = format!("export type {name} =");
    let definition = definition.print(0, head.len());
    format!("{head}{definition};\n")
}

/// A doc comment as ts-rs gives it, indented.
pub fn comment(docs: &str, indent: usize) -> String {
    let text = docs.trim().trim_start_matches("/**").trim_end_matches("*/");
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim().trim_start_matches('*').trim())
        .skip_while(|line| line.is_empty())
        .collect();
    let indent = " ".repeat(indent);
    match lines.as_slice() {
        [line] | [line, ""] => format!("{indent}/** {line} */\n"),
        lines => {
            let mut comment = format!("{indent}/**\n");
            for line in lines
                .iter()
                .take(lines.len() - usize::from(lines.ends_with(&[""])))
            {
                let _ = writeln!(comment, "{}", format!("{indent} * {line}").trim_end());
            }
            comment + &indent + " */\n"
        }
    }
}

#[derive(Debug)]
enum Type {
    /// A name, a literal, or a name with arguments.
    Plain(String),
    Object(Vec<Field>),
    Union(Vec<Self>),
    Intersection(Vec<Self>),
}

#[derive(Debug)]
struct Field {
    docs: Option<String>,
    name: String,
    is_optional: bool,
    of: Type,
}

impl Type {
    /// With the space or the line break before it. `column`: where that is.
    fn print(&self, indent: usize, column: usize) -> String {
        match self {
            Self::Plain(text) => format!(" {text}"),
            Self::Object(fields) => object(fields, indent),
            Self::Intersection(parts) => join(parts, " &", indent),
            Self::Union(parts) => {
                let line = join(parts, " |", indent);
                if !line.contains('\n') && column + line.len() < WIDTH {
                    return line;
                }
                let bar = " ".repeat(indent + 2);
                if !line.contains('\n') && bar.len() + line.len() <= WIDTH {
                    return format!("\n{bar}{}", line.trim_start());
                }
                parts.iter().fold(String::new(), |mut text, part| {
                    let _ = write!(text, "\n{bar}|{}", part.print(indent + 4, indent + 3));
                    text
                })
            }
        }
    }
}

fn join(parts: &[Type], mark: &str, indent: usize) -> String {
    let parts: Vec<_> = parts.iter().map(|part| part.print(indent, indent)).collect();
    parts.join(mark)
}

fn object(fields: &[Field], indent: usize) -> String {
    let mut text = String::from(" {\n");
    for field in fields {
        if let Some(docs) = &field.docs {
            text.push_str(&comment(docs, indent + 2));
        }
        // `| undefined` for `exactOptionalPropertyTypes`: neither form is sent.
        let (mark, or_undefined) = if field.is_optional {
            ("?", " | undefined")
        } else {
            ("", "")
        };
        let head = format!("{}{}{mark}:", " ".repeat(indent + 2), field.name);
        let of = field.of.print(indent + 2, head.len() + or_undefined.len());
        let _ = writeln!(text, "{head}{of}{or_undefined};");
    }
    text + &" ".repeat(indent) + "}"
}

/// Reads the part of TypeScript that ts-rs writes.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn union(&mut self) -> Type {
        self.joined('|', Self::intersection, Type::Union)
    }

    fn intersection(&mut self) -> Type {
        self.joined('&', Self::single, Type::Intersection)
    }

    fn joined(&mut self, mark: char, part: fn(&mut Self) -> Type, join: fn(Vec<Type>) -> Type) -> Type {
        let first = part(self);
        let mut parts = vec![first];
        while self.eat(mark) {
            parts.push(part(self));
        }
        if parts.len() > 1 {
            join(parts)
        } else {
            parts.remove(0)
        }
    }

    fn single(&mut self) -> Type {
        if self.eat('{') {
            return Type::Object(self.fields());
        }
        assert!(!self.rest.starts_with('('), "declare a flattened union by itself");
        let (mut depth, mut quoted) = (0, false);
        let end = self.rest.find(|c: char| {
            match c {
                '"' => quoted = !quoted,
                '<' | '[' | '(' if !quoted => depth += 1,
                '>' | ']' | ')' if !quoted => depth -= 1,
                _ => {}
            }
            depth == 0 && !quoted && matches!(c, ',' | '|' | '&' | '}')
        });
        Type::Plain(self.take(end.unwrap_or(self.rest.len())).replace('"', "'"))
    }

    /// The rest of an object after its opening brace.
    fn fields(&mut self) -> Vec<Field> {
        let mut fields = Vec::new();
        while !self.eat('}') {
            let docs = self.rest.starts_with("/**").then(|| {
                let end = self.rest.find("*/").map_or(self.rest.len(), |at| at + 2);
                self.take(end)
            });
            let end = self.rest.find(':').unwrap_or(self.rest.len());
            let name = self.take(end);
            let is_optional = name.ends_with('?');
            let name = name.trim_end_matches('?').trim_matches('"').to_owned();
            self.eat(':');
            let of = self.union();
            self.eat(',');
            fields.push(Field {
                docs,
                name,
                is_optional,
                of,
            });
            self.rest = self.rest.trim_start();
        }
        fields
    }

    fn eat(&mut self, mark: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn take(&mut self, end: usize) -> String {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        taken.trim().to_owned()
    }
}
