# Sourced by ./run and by CI: how to build for the boards' target with what this machine has.
#
# choose_toolchain sets CARGO, the command to call in place of `cargo`, BUILD, options for its build commands, and
# COMPILER, the version of rustc.
#
# 1. The `rustc` on the path has the target: nothing to do.
# 2. A rustc comes with the source of the standard library, as distributions package it: `core` is built from that.
#    Unstable options of cargo do it, which RUSTC_BOOTSTRAP lets a stable one take.

TARGET=thumbv7em-none-eabihf

has_target() { # rustc, target
    local library
    library=$("$1" --print target-libdir --target "$2" 2>/dev/null) && compgen -G "$library/libcore-*.rlib" >/dev/null
}

has_source() { # rustc
    [[ -e $("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/core/src/lib.rs ]]
}

find_linker() { # rustc
    local place
    # Distributions leave out rust-lld; that of another toolchain will do.
    for place in "$("$1" --print sysroot 2>/dev/null)" "$(rustc --print sysroot 2>/dev/null)"; do
        compgen -G "$place/lib/rustlib/*/bin/rust-lld" && return
    done
    command -v ld.lld || command -v arm-none-eabi-ld
}

choose_toolchain() { # [target]
    local target=${1:-$TARGET} rustc linker
    CARGO=(cargo) BUILD=(--target "$target")
    if has_target rustc "$target"; then
        COMPILER=$(rustc --version)
        return
    fi
    for rustc in rustc /usr/bin/rustc; do
        has_source "$rustc" || continue
        linker=$(find_linker "$rustc") || {
            echo "toolchain: no linker for $target: install lld (Debian: apt-get install lld)" >&2
            return 1
        }
        CARGO=(env RUSTC_BOOTSTRAP=1 "RUSTC=$rustc" "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER=${linker%%$'\n'*}")
        case $rustc in
        rustc) CARGO+=(cargo) ;;
        *) CARGO+=("${rustc%rustc}cargo") ;;
        esac
        BUILD+=(-Zbuild-std=core)
        COMPILER=$("$rustc" --version)
        return
    done
    cat >&2 <<END
toolchain: rustc cannot build for $target yet. One of these helps:
    rustup target add $target
    apt-get install rustc-web cargo-web rust-web-src     (Debian: core is built from the distribution's source)
END
    return 1
}
