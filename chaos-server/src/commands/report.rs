//! `report`: an incident's post-mortem, as it was written or in another form.

use std::{fs, path::Path};

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink as _},
    error::Error,
    model::IncidentId,
    sinks::Dir,
};

use super::find;
use crate::{
    cli::{Form, ReportArgs},
    exit::{Exit, Failure},
    html, output, pdf,
};

pub(super) async fn report(root: &Path, args: &ReportArgs) -> Result<Exit, Failure> {
    let (dir, id) = find(root, &args.id).await?;
    let name = ArtifactName::new("report.md")?;
    let path = dir.path(&id).join(name.as_str());
    if !path.exists() {
        let why = if dir.is_running(&id) { "it is still running" } else { "it ended before there was one" };
        return Err(Failure::new(Exit::NotFound, format!("{id} has no report: {why}")));
    }
    let bytes = dir.read(&id, &name).await.map_err(|e| Failure::storage(&e))?;
    let text = String::from_utf8_lossy(&bytes);
    let (made, name) = match args.format {
        Form::Md if args.path => return said(&path),
        Form::Md => {
            output::print(&text)?;
            return Ok(Exit::Ok);
        }
        Form::Html => (html::page(&text, &charts(&dir, &id).await?, id.as_str()).into_bytes(), "report.html"),
        Form::Pdf => (pdf::render(&text, &charts(&dir, &id).await?, id.as_str())?, "report.pdf"),
    };
    dir.put(&id, &ArtifactName::new(name)?, &made).map_err(|e| Failure::storage(&e))?;
    said(&dir.path(&id).join(name))
}

fn said(path: &Path) -> Result<Exit, Failure> {
    output::print(&format!("{}\n", path.display()))?;
    Ok(Exit::Ok)
}

/// The charts of an incident, by the names that its report has.
async fn charts(dir: &Dir, id: &IncidentId) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let names = dir.list(id).await.map_err(|e| Failure::storage(&e))?;
    let read = |name: &ArtifactName| {
        let path = dir.path(id).join(name.as_str());
        let bytes = fs::read(&path).map_err(|e| Failure::from(Error::storage("read the chart", &path, e)))?;
        Ok((name.as_str().to_owned(), bytes))
    };
    names.iter().filter(|n| n.as_str().ends_with(".svg")).map(read).collect()
}
