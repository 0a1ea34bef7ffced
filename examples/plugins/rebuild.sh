#!/usr/bin/env bash
# Builds the examples in Rust and puts the components, with their manifests, into built/. Run it after a change of an
# example, of the contract or of the crate chaos-plugin. `--check` builds them elsewhere and
# checks what came out; it is not compared with what is committed, since a component is the same to the byte only by the
# same compiler.
#
# Needs the target wasm32-unknown-unknown: `rustup target add wasm32-unknown-unknown`. Where rustup can't download,
# WASM_TOOLCHAIN names a directory into which Debian's rustc-web, rust-web-src, libstd-rust-web-dev,
# libstd-rust-web-1.96, rust-web-llvm, libllvm22 and lld-22 were unpacked with `dpkg -x`.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=wasm32-unknown-unknown
out=${CARGO_TARGET_DIR:-$PWD/target}/plugins
examples=(jvm-gc cert-expiry systemd-restart)
handler=${CHAOS_HANDLER:-}

host=$(rustc -vV | sed -n 's/^host: //p')
bin=$(rustc --print sysroot)/lib/rustlib/$host/bin
std=()
compiler=(env)
if [[ -n ${WASM_TOOLCHAIN:-} ]]; then
  libs=$WASM_TOOLCHAIN/usr/lib/x86_64-linux-gnu:$WASM_TOOLCHAIN/usr/lib/llvm-22/lib
  compiler=(env "LD_LIBRARY_PATH=$libs" "RUSTC=$WASM_TOOLCHAIN/usr/bin/rustc" RUSTC_BOOTSTRAP=1)
  std=("-Zbuild-std=std,panic_abort")
  lld=$WASM_TOOLCHAIN/usr/bin/wasm-ld-22
elif [[ -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
  lld=$bin/gcc-ld/wasm-ld
else
  echo "rebuild: skipped: there is no target $target; \`rustup target add $target\` gets it" >&2
  exit 3
fi

flags="-Clinker=$bin/wasm-component-ld -Clinker-flavor=wasm-ld -Clink-arg=--wasm-ld-path=$lld"
# A search looks at 16 bytes at a time.
flags+=" -Ctarget-feature=+simd128"
# Without the paths of this machine.
flags+=" --remap-path-prefix=$root=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
"${compiler[@]}" "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags" \
  cargo build --release --locked --target "$target" --target-dir "$out" "${std[@]}"

[[ ${1:-} == --check ]] && destination=$out/built || destination=built
mkdir -p "$destination"
if [[ -z $handler ]]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" -p chaos-server
  handler=${CARGO_TARGET_DIR:-$root/target}/debug/chaos-handler
fi
for name in "${examples[@]}"; do
  "$handler" plugins build "$name" --component "$out/$target/release/${name//-/_}.wasm" --out "$destination/$name.wasm"
done
if [[ ${1:-} == --check ]]; then
  for name in "${examples[@]}"; do "$handler" plugins check "$destination/$name.wasm"; done
  (cd built && sha256sum --check --quiet SHA256SUMS)
  echo "rebuild: the examples build, and what is committed is whole"
else
  (cd built && sha256sum "${examples[@]/%/.wasm}" > SHA256SUMS)
fi
