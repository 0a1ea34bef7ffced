//! Files that are no plugins, or of another world: each is refused with what to do about it, and nothing of it runs.

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use chaos_core::error::ErrorKind;
use chaos_plugins::{Grants, Plugins, embed, inspect};

use crate::{
    component::{Found, Guest, component},
    support::{call, host, incident},
};

const MANIFEST: &str = "name = \"x\"\nversion = \"1\"\n";

fn refused(bytes: &[u8]) -> String {
    let error = host().load(bytes, &Grants::default()).map(|p| p.about().clone()).expect_err("it must be refused");
    assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::Refused), "{error}");
    error.to_string()
}

/// A component of another contract, with its own imports.
fn foreign(wit: &str, imports: &str, export: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module {imports} (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
          (func (export "{export}") (result i32) (i32.const 0)))"#
    );
    embed(&component(&wat, wit, "w"), MANIFEST).unwrap()
}

#[test]
fn what_is_no_component_says_what_it_is() {
    assert!(refused(b"").contains("not WebAssembly"));
    assert!(refused(b"#!/bin/sh\nrm -rf /\n").contains("not WebAssembly"));
    assert!(refused(b"\x7fELF\x02\x01\x01").contains("not WebAssembly"));
    let module = wat::parse_str("(module (func (export \"detect\")))").unwrap();
    assert!(refused(&module).contains("core module"));
    assert!(refused(&Guest::default().bare()).contains("no manifest"));
}

#[test]
fn truncated_and_flipped_files_are_refused_or_harmless() {
    let whole = Guest::finding(&[Found::default()]).named("x");
    inspect(&whole).unwrap();
    for n in 0..whole.len() {
        assert!(inspect(&whole[..n]).is_err(), "the first {n} bytes are no plugin");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (began, mut loaded) = (Instant::now(), 0);
    for n in 0..whole.len() * 8 {
        // Every 37th bit, which meets all bytes' neighbourhoods in bounded time.
        if n % 37 != 0 || began.elapsed() > Duration::from_secs(20) {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[n / 8] ^= 1 << (n % 8);
        if let Ok(plugin) = host().load(&bytes, &Grants::default()) {
            loaded += 1;
            // Whatever it does now, it does it inside.
            let _ = runtime.block_on(call(&plugin));
        }
    }
    assert!(loaded > 0, "some flips are in data or in names, and must have been run");
}

#[test]
fn wasi_and_unknown_imports_are_refused_by_name() {
    let wasi = "package wasi:cli@0.2.0; interface environment { initial-cwd: func() -> option<string>; }
        world w { import environment; export run: func() -> u32; }";
    let import = r#"(import "wasi:cli/environment@0.2.0" "initial-cwd" (func (param i32)))"#;
    let error = refused(&foreign(wasi, import, "run"));
    assert!(error.contains("neither chaos:plugin/detector nor"), "it is no plugin at all: {error}");

    let ours = |import: &str| {
        format!(
            "package chaos:plugin@0.1.0; {import} interface detector {{ detect: func() -> u32; }} world w {{ import other; export detector; }}"
        )
    };
    let text = ours("interface other { steal: func() -> u32; }");
    let import = r#"(import "chaos:plugin/other@0.1.0" "steal" (func (result i32)))"#;
    let error = refused(&foreign(&text, import, "chaos:plugin/detector@0.1.0#detect"));
    assert!(error.contains("imports chaos:plugin/other@0.1.0, which no plugin gets"), "{error}");
}

#[test]
fn a_plugin_with_wasi_is_told_how_to_be_built() {
    // By hand: an import of WASI beside the export of a detector.
    let text = r#"(component
        (import "wasi:filesystem/types@0.2.0" (instance))
        (instance $i)
        (export "chaos:plugin/detector@0.1.0" (instance $i)))"#;
    let error = refused(&embed(&wat::parse_str(text).unwrap(), MANIFEST).unwrap());
    assert!(error.contains("wasi:filesystem/types@0.2.0") && error.contains("wasm32-unknown-unknown"), "{error}");
}

#[test]
fn another_version_is_refused_before_anything_is_compiled() {
    let text = r#"(component (instance $i) (export "chaos:plugin/detector@9.3.0" (instance $i)))"#;
    let error = refused(&embed(&wat::parse_str(text).unwrap(), MANIFEST).unwrap());
    assert!(error.contains("version 9.3.0 of the contract") && error.contains("0.1.0"), "{error}");
}

#[test]
fn a_function_of_another_shape_does_not_fit() {
    let text = "package chaos:plugin@0.1.0; interface detector { detect: func() -> u32; } world w { export detector; }";
    let bytes = foreign(text, "", "chaos:plugin/detector@0.1.0#detect");
    // Its types are looked at when it is called: it can't be called with ours.
    let plugin = host().load(&bytes, &Grants::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(call(&plugin)).unwrap_err().to_string();
    assert!(error.contains("plugin"), "{error}");
}

#[test]
fn names_of_built_in_agents_are_refused() {
    for name in ["LogAgent", "log-agent", "investigator", "coordinator"] {
        assert!(embed(&Guest::default().bare(), &format!("name = \"{name}\"\nversion = \"1\"")).is_err(), "{name}");
    }
    // Put into the file by hand, too.
    let mut bytes = Guest::default().bare();
    let section = b"\x15chaos-plugin-manifestname = 'logagent'\nversion = '1'";
    bytes.extend([0, section.len() as u8]);
    bytes.extend(section);
    assert!(refused(&bytes).contains("name is that of a part of chaos-handler"));
    // And more than one manifest.
    let mut bytes = Guest::default().named("good");
    bytes.extend([0, section.len() as u8]);
    bytes.extend(section);
    assert!(refused(&bytes).contains("more than one manifest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_one_name_and_broken_files_do_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::finding(&[Found::default()]);
    std::fs::write(dir.path().join("a.wasm"), guest.named("same")).unwrap();
    std::fs::write(dir.path().join("b.wasm"), guest.named("same")).unwrap();
    std::fs::write(dir.path().join("c.wasm"), b"\0asm?").unwrap();
    std::fs::write(dir.path().join("d.txt"), b"not looked at").unwrap();
    std::fs::write(dir.path().join("e.wasm"), guest.named("other")).unwrap();
    let plugins: Plugins = host().load_all(&[dir.path().to_owned()], &Grants::default()).unwrap();
    assert_eq!((plugins.loaded.len(), plugins.refused.len()), (2, 2));
    assert!(plugins.refused[0].1.to_string().contains("another plugin has this name"));
    let ended = incident(&plugins).await;
    ended.assert_whole();
    assert_eq!(ended.findings_of("same").len() + ended.findings_of("other").len(), 2);
    assert!(ended.errors_of("plugin 2 (c.wasm)")[0].contains("not a plugin"));
    let missing = host().load_all(&[dir.path().join("none")], &Grants::default()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn generated_components_never_harm_the_loader() {
    let (began, mut state, mut looked) = (Instant::now(), 0x9e37_79b9_7f4a_7c15_u64, 0);
    while began.elapsed() < Duration::from_secs(5) {
        // xorshift64*: the same bytes in every run.
        let bytes: Vec<u8> = (0..4096)
            .map(|_| {
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
            })
            .collect();
        let mut entropy = Unstructured::new(&bytes);
        let generated = if looked % 2 == 0 {
            wasm_smith::Component::arbitrary(&mut entropy).map(|c| c.to_bytes())
        } else {
            wasm_smith::Module::arbitrary(&mut entropy).map(|m| m.to_bytes())
        };
        looked += 1;
        let Ok(generated) = generated else { continue };
        assert!(inspect(&generated).is_err(), "no generated component is a plugin");
        if let Ok(named) = embed(&generated, MANIFEST) {
            assert!(host().load(&named, &Grants::default()).is_err());
        }
    }
    assert!(looked > 20, "only {looked} were looked at");
}
