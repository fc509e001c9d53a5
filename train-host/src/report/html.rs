//! `report.html`: one file that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, arena, before, bits, confusion, curve, filters, headline, layers, misses, palette};
use crate::Result;

const STYLE: &str = include_str!("style.css");

impl Report {
    /// The text of `report.html`: styles, plots and pictures are inside, and it is read without a network, by day and
    /// in the dark. What is not known has no section.
    ///
    /// # Errors
    /// Where a picture's numbers do not match its shape; names it.
    pub fn html(&self) -> Result<String> {
        let body = html! {
            main {
                (headline::section(self))
                @if let Some(part) = before::section(self) { (part) }
                @if let Some(part) = curve::section(self)? { (part) }
                @if let Some(part) = bits::section(self) { (part) }
                @if let Some(part) = layers::section(self) { (part) }
                @if let Some(part) = arena::section(self)? { (part) }
                @if let Some(part) = confusion::section(self) { (part) }
                @if let Some(part) = filters::section(self)? { (part) }
                @if let Some(part) = misses::section(self)? { (part) }
            }
            footer.soft {
                "Written by train-host " (env!("CARGO_PKG_VERSION")) ". The same figures, for programs: "
                code { "report.json" } "."
            }
        };
        Ok(document(&self.model, &body))
    }
}

/// A whole page about `what`, with all it needs inside.
pub(super) fn document(what: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (what) " · zipnet report" }
                style { (PreEscaped(palette::stylesheet())) (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
