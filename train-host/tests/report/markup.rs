//! Whether a page is well formed and needs nothing from outside.

/// Elements without content.
const VOID: [&str; 4] = ["meta", "link", "img", "!DOCTYPE"];

/// # Panics
/// Where tags do not close in order, an attribute is not quoted, an ampersand begins no entity, or the page refers to
/// something outside.
pub(crate) fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        entities(&rest[..start]);
        rest = &rest[start + 1..];
        let end = tag_end(rest);
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes what is not open");
            continue;
        }
        let tag = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.0.split_whitespace().next().expect("a tag has a name");
        attributes(tag.0);
        if name == "style" {
            let end = rest.find("</style>").expect("the style ends");
            let style = &rest[..end];
            assert!(!style.contains("@import") && !style.contains("url("), "the style loads something");
            assert_eq!(style.matches('{').count(), style.matches('}').count(), "braces of the style");
            rest = &rest[end..];
        }
        if !tag.1 && !VOID.contains(&name) {
            open.push(name);
        }
    }
    entities(rest);
    assert!(open.is_empty(), "left open: {open:?}");
    let outside = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!outside.contains("http"), "refers to the network");
    for forbidden in ["<script", "<iframe", "<object", "@font-face"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for (at, _) in page.match_indices(" src=").chain(page.match_indices(" href=")) {
        let value = page[at..].split('"').nth(1).unwrap_or_default();
        assert!(value.starts_with("data:"), "{value} is outside the page");
    }
}

/// Where the tag ends: the first `>` outside quotes.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    });
    end.expect("a tag ends")
}

/// Each attribute is `name` or `name="value"`, no name twice.
fn attributes(tag: &str) {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = tag.split('"');
    while let Some(part) = parts.next() {
        for word in part.split_whitespace() {
            if let Some(name) = word.strip_suffix('=') {
                assert!(!names.contains(&name), "{name} twice in <{tag}>");
                names.push(name);
            }
            assert!(!word.trim_end_matches('=').contains('='), "{word} is not quoted in <{tag}>");
        }
        if let Some(value) = parts.next() {
            assert!(!value.contains('<'), "{value} is not escaped");
            entities(value);
        }
    }
}

fn entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#"];
        assert!(known.iter().any(|k| text[at..].starts_with(k)), "not escaped: {}", &text[at..]);
    }
}

#[test]
fn what_is_wrong_is_seen() {
    check("<!DOCTYPE html><html><img src=\"data:,\"><p class=\"a\">1 &lt; 2</p><rect x=\"1\"/></html>");
    for wrong in [
        "<p><b></p></b>",
        "<p>",
        "<p class=a></p>",
        "<p class=\"a\" class=\"b\"></p>",
        "<p>a & b</p>",
        "<p title=\"<b>\"></p>",
        "<img src=\"x.png\">",
        "<p>http://example.org</p>",
        "<style>@import \"x.css\";</style>",
        "<script></script>",
    ] {
        assert!(std::panic::catch_unwind(|| check(wrong)).is_err(), "{wrong} passed");
    }
}
