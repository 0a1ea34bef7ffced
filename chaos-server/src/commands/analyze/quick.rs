//! `analyze logs --quick`: a first look at log files.

use chaos_core::{
    analysis::logs::{Glance, Sight},
    model::Timestamp,
};

use super::{
    input::Input,
    logs::{MOST, cut, moment},
};
use crate::{
    cli::AnalyzeLogsArgs,
    exit::{Exit, Failure},
    output,
};

pub(super) fn quick(args: &AnalyzeLogsArgs) -> Result<Exit, Failure> {
    let mut glance = Glance::new(Timestamp::default());
    for file in &args.files {
        let input = Input::open(file)?;
        glance.next_file(input.written);
        input.read(|piece| {
            glance.push(piece);
            Ok(())
        })?;
    }
    let sight = glance.finish();
    match args.json {
        true => output::print_json(&sight)?,
        false => output::print(&shown(&sight))?,
    }
    Ok(Exit::Ok)
}

fn shown(sight: &Sight) -> String {
    let mut text = format!("{} line{}", sight.lines, if sight.lines == 1 { "" } else { "s" });
    if let Some(span) = &sight.span {
        text.push_str(&format!(", {} to {}", moment(span.start), moment(span.end)));
    }
    let levels = sight.levels.iter().rev().map(|(level, n)| format!("{n} {}", format!("{level:?}").to_lowercase()));
    let none = (sight.without_level > 0).then(|| format!("{} without a level", sight.without_level));
    let levels: Vec<String> = levels.chain(none).collect();
    if !levels.is_empty() {
        text.push_str(&format!("\n{}", levels.join(", ")));
    }
    text.push('\n');
    if sight.troubles.is_empty() {
        return text + "No line tells of trouble.\n";
    }
    text.push_str(&format!("\n{:>9}  {:<8} {:>10} {:>10}  TROUBLE\n", "COUNT", "LEVEL", "FIRST LINE", "LAST LINE"));
    for t in sight.troubles.iter().take(MOST) {
        let level = t.level.map_or("-".to_owned(), |l| format!("{l:?}").to_lowercase());
        text.push_str(&format!(
            "{:>9}  {level:<8} {:>10} {:>10}  {}\n",
            t.count,
            t.first_line,
            t.last_line,
            cut(&t.template)
        ));
    }
    if sight.troubles.len() > MOST {
        text.push_str(&format!("… and {} more; --json has all\n", sight.troubles.len() - MOST));
    }
    text
}
