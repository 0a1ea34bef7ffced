//! `report.pdf`: the post-mortem, typeset without a network, with the fonts that are part of the binary.
//!
//! The Markdown becomes data (`blocks`), which the template reads from a file that exists only in memory: nothing in it
//! is ever parsed as markup. There is no other file for the typesetter to read.

mod blocks;

use std::sync::{LazyLock, Mutex, PoisonError};

use chaos_core::error::{Error, ErrorKind, Result};
use typst::{
    Library, LibraryExt as _, World, comemo,
    diag::{FileError, FileResult, SourceDiagnostic},
    foundations::{Bytes, Datetime, Duration, Smart},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook},
    utils::LazyHash,
};
use typst_kit::fonts::{self, FontStore};
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

/// Whether reports can be typeset.
pub(crate) const AVAILABLE: bool = true;

const TEMPLATE: &str = include_str!("report.typ");
/// Longest report, and most charts.
const LONGEST: usize = 1 << 20;
const MOST_CHARTS: usize = 64;

static FONTS: LazyLock<FontStore> = LazyLock::new(|| {
    let mut store = FontStore::new();
    store.extend(fonts::embedded());
    store
});
static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));
/// One at a time: it takes a processor and memory.
static TURN: Mutex<()> = Mutex::new(());

/// What the typesetter can read.
struct Desk {
    main: Source,
    data: (FileId, Bytes),
    charts: Vec<(FileId, Bytes)>,
}

/// The report as PDF. `charts` are the SVG files by the names that the Markdown has.
///
/// # Errors
/// `OutputLimit` when it is too long; `Internal` when it can't be typeset.
pub(crate) fn render(markdown: &str, charts: &[(String, Vec<u8>)], title: &str) -> Result<Vec<u8>> {
    if markdown.len() > LONGEST || charts.len() > MOST_CHARTS {
        return Err(Error::new(ErrorKind::OutputLimit, "the report is too long for PDF; ask for format=html"));
    }
    let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
    let document = blocks::document(markdown, &names, title, &|c| is_covered(c));
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let desk = Desk {
        main: Source::new(file("report.typ")?, TEMPLATE.to_owned()),
        data: (file("report.json")?, Bytes::from_string(document.to_string())),
        charts: charts
            .iter()
            .enumerate()
            .map(|(i, (_, svg))| Ok((file(&blocks::chart(i))?, Bytes::new(svg.clone()))))
            .collect::<Result<_>>()?,
    };
    let made = typst::compile::<PagedDocument>(&desk).output.map_err(|why| failed(&why));
    let options =
        PdfOptions { ident: Smart::Custom(title.to_owned()), creator: Smart::Custom(None), ..PdfOptions::default() };
    let pdf = made.and_then(|document| typst_pdf::pdf(&document, &options).map_err(|why| failed(&why)));
    // What it remembers of one report is of no use to the next one.
    comemo::evict(0);
    pdf
}

fn file(name: &str) -> Result<FileId> {
    let path = VirtualPath::new(name).map_err(|_| Error::new(ErrorKind::Internal, "a name of ours is no path"))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

fn failed(why: &[SourceDiagnostic]) -> Error {
    let said = why.first().map_or("no reason was given", |d| d.message.as_str());
    Error::new(ErrorKind::Internal, format!("the report can't be typeset: {said}"))
}

/// Whether a font of ours has the character.
fn is_covered(c: char) -> bool {
    let book = FONTS.book();
    (0..).map_while(|i| book.info(i)).any(|info| info.coverage.contains(u32::from(c)))
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        FONTS.book()
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let all = std::iter::once(&self.data).chain(&self.charts);
        all.into_iter().find(|(known, _)| *known == id).map(|(_, bytes)| bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.font(index)
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_becomes_a_pdf_and_nothing_in_it_is_markup() {
        let markdown = "# Post-mortem #eval(\"1\") $x$\n\nText with `#read(\"/etc/passwd\")`, *emphasis* and 中文 \u{1f600}.\n\n\
                        ## Evidence\n\n| a | b |\n| --- | --- |\n| #panic() | `x` |\n\n- one\n- two\n\n\
                        ```text\n#import \"@preview/x:1.0.0\"\n```\n\n![chart](artifacts/a.svg)\n\n![gone](http://evil/x.png)\n";
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='9' height='9'/></svg>";
        let pdf = render(markdown, &[("artifacts/a.svg".into(), svg.to_vec())], "inc-20260101-001").unwrap();
        assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 5000, "{}", pdf.len());
        let again = render(markdown, &[("artifacts/a.svg".into(), svg.to_vec())], "inc-20260101-001").unwrap();
        assert!(pdf == again, "the same report gives the same bytes");
    }

    #[test]
    fn a_chart_that_is_no_svg_or_reads_files_is_an_error_and_no_panic() {
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='/etc/passwd'/></svg>";
        assert!(render("![c](artifacts/a.svg)\n", &[("artifacts/a.svg".into(), svg.to_vec())], "x").is_err());
        let why = render("![c](artifacts/a.svg)\n", &[("artifacts/a.svg".into(), b"no svg".to_vec())], "x").err();
        let why = why.expect("no SVG");
        assert_eq!(why.kind(), ErrorKind::Internal, "{why}");
        assert!(render(&"x".repeat(LONGEST + 1), &[], "x").is_err());
    }
}
