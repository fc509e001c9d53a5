//! `decode IMAGE.elf < frames`: prints the logs of a firmware as lines, the message alone.
//!
//! Warnings and errors begin with their level. Log texts are not in the frames but in the image.

use anyhow::{Context, bail};
use defmt_decoder::{DecodeError, Table};
use defmt_parser::Level;
use std::io::{Read, Write};

fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else { bail!("usage: decode IMAGE.elf < frames") };
    let name = path.to_string_lossy().into_owned();
    let image = std::fs::read(&path).with_context(|| name.clone())?;
    let Some(table) = Table::parse(&image).with_context(|| name.clone())? else {
        bail!("{name}: holds no defmt logs (no .defmt section)");
    };
    let mut decoder = table.new_stream_decoder();
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut bytes = [0; 4096];
    loop {
        let count = input.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        decoder.received(&bytes[..count]);
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let level = match frame.level() {
                        Some(Level::Error) => "error: ",
                        Some(Level::Warn) => "warning: ",
                        _ => "",
                    };
                    writeln!(output, "{level}{}", frame.display_message())?;
                }
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) if table.encoding().can_recover() => {}
                Err(DecodeError::Malformed) => bail!("a malformed log frame"),
            }
        }
        output.flush()?;
    }
}
