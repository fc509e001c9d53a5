//! Tells `src/arch` what the target's CPU has, which a stable compiler does not say of Arm's microcontrollers:
//! `cfg(mve)` for Helium, where the feature of that name asks for it; else `cfg(dsp)` for the DSP instructions of ARMv7E-M,
//! which ARMv8-M Mainline has as an option; else `cfg(thumb)` for a core without them, ARMv6-M at least, and besides
//! `cfg(baseline)` for one that has no more than that.

use std::env;

/// Cores of ARMv8-M Mainline that have the option (a Cortex-M33 without it is told apart by its maker only).
const CORES: [&str; 4] = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(baseline, dsp, mve, thumb)");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let core = |name: &&str| flags.contains(&format!("target-cpu={name}"));
    let chosen = CORES.iter().any(core) || flags.contains("+dsp");
    if env::var_os("CARGO_FEATURE_HELIUM").is_some() && target.starts_with("thumbv8m.main-") {
        println!("cargo::rustc-cfg=mve");
    } else if target.starts_with("thumbv7em-") || (target.starts_with("thumbv8m.main-") && chosen) {
        println!("cargo::rustc-cfg=dsp");
    } else if ["thumbv6m-", "thumbv7m-", "thumbv8m."].iter().any(|of| target.starts_with(of)) {
        println!("cargo::rustc-cfg=thumb");
        if target.starts_with("thumbv6m-") || target.starts_with("thumbv8m.base-") {
            println!("cargo::rustc-cfg=baseline");
        }
    }
}
