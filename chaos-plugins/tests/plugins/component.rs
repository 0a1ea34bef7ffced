//! Components that are written by hand: a core module in WebAssembly text, made a component by the contract itself.

use chaos_plugins::embed;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where texts and results stand in the memory of a guest; what is lowered to it comes after [`HEAP`].
pub(crate) const RESULT: usize = 1024;
const FINDINGS: usize = 2048;
const CITES: usize = 16 << 10;
const SUMMARY: usize = 32 << 10;
const HEAP: usize = 128 << 10;

/// A guest: the body of its one function, and what its memory holds.
pub(crate) struct Guest {
    pub(crate) world: &'static str,
    pub(crate) imports: &'static str,
    /// Beside the function, such as tables.
    pub(crate) fields: &'static str,
    /// Of `(param $seen i32) (result i32)`: from where the input is to where the result is.
    pub(crate) body: String,
    pub(crate) data: Vec<(usize, Vec<u8>)>,
    pub(crate) pages: usize,
    pub(crate) commands: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            world: "detector-plugin",
            imports: "",
            fields: "",
            body: format!("(i32.const {RESULT})"),
            data: vec![(RESULT, vec![0; 12])],
            pages: 4,
            commands: "",
        }
    }
}

impl Guest {
    /// A detector that does this and finds nothing.
    pub(crate) fn doing(body: &str) -> Self {
        Self { body: format!("{body} (i32.const {RESULT})"), ..Self::default() }
    }

    /// A detector that finds what these say.
    pub(crate) fn finding(findings: &[Found<'_>]) -> Self {
        let mut data = vec![];
        let (mut records, mut cites, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for f in findings {
            let at = |base: usize, v: &Vec<u8>| (base + v.len()) as u32;
            let signal = (at(SUMMARY, &texts), f.signal.len() as u32);
            texts.extend(f.signal.as_bytes());
            let summary = (at(SUMMARY, &texts), f.summary.len() as u32);
            texts.extend(f.summary);
            let cited = (at(CITES, &cites), f.cites.len() as u32);
            for cite in f.cites {
                cites.extend(words(&match cite {
                    Cite::Rows(evidence, start, end) => [0, *evidence, *start, *end],
                    Cite::Answer(id) => [1, *id, 0, 0],
                }));
            }
            let mut record = vec![0u8; 120];
            record[0] = 2; // signal: other
            put(&mut record, 8, &words(&[signal.0, signal.1]));
            put(&mut record, 76, &words(&[summary.0, summary.1]));
            put(&mut record, 88, &f.score.to_le_bytes());
            put(&mut record, 112, &words(&[cited.0, cited.1]));
            records.extend(record);
        }
        data.push((RESULT, words(&[0, FINDINGS as u32, findings.len() as u32])));
        data.push((FINDINGS, records));
        data.push((CITES, cites));
        data.push((SUMMARY, texts));
        Self { data, ..Self::default() }
    }

    fn wat(&self) -> String {
        let function = match self.world {
            "fixer-plugin" => "chaos:plugin/fixer@0.1.0#propose",
            _ => "chaos:plugin/detector@0.1.0#detect",
        };
        let data: String = self
            .data
            .iter()
            .map(|(at, bytes)| {
                let escaped: String = bytes.iter().map(|b| format!("\\{b:02x}")).collect();
                format!("(data (i32.const {at}) \"{escaped}\")")
            })
            .collect();
        format!(
            r#"(module {imports}
              (memory (export "memory") {pages})
              (global $top (mut i32) (i32.const {HEAP}))
              {data} {fields}
              (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
                (local.set $p (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                (global.set $top (i32.add (local.get $p) (local.get 3)))
                (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
                  (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 2))))))
                (local.get $p))
              (func $main (export "{function}") (param $seen i32) (result i32) {body}))"#,
            imports = self.imports,
            pages = self.pages,
            fields = self.fields,
            body = self.body,
        )
    }

    /// The component, without a manifest.
    pub(crate) fn bare(&self) -> Vec<u8> {
        component(&self.wat(), chaos_plugins::WIT, self.world)
    }

    /// The component, under a name.
    pub(crate) fn named(&self, name: &str) -> Vec<u8> {
        let commands =
            if self.commands.is_empty() { String::new() } else { format!("commands = [{}]\n", self.commands) };
        embed(&self.bare(), &format!("name = \"{name}\"\nversion = \"1\"\n{commands}")).unwrap()
    }
}

/// A finding to return.
pub(crate) struct Found<'a> {
    pub(crate) signal: &'a str,
    pub(crate) summary: &'a [u8],
    pub(crate) score: f64,
    pub(crate) cites: &'a [Cite],
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { signal: "test.signal", summary: b"something is off", score: 0.7, cites: &[Cite::Rows(0, 0, 1)] }
    }
}

pub(crate) enum Cite {
    Rows(u32, u32, u32),
    Answer(u32),
}

/// A core module as a component of a world.
pub(crate) fn component(wat: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}\n{wat}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}
