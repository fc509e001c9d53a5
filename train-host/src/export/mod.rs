//! What leaves the host: the const table for firmware, the files the other commands reload, all written whole or
//! not at all.

mod aligned;
mod checkpoint;
mod folder;
mod pack;
mod stored;
mod stream;
mod table;

pub use aligned::Aligned;
pub use checkpoint::{CHECKPOINT, read_checkpoint, write_checkpoint};
pub use folder::{Folder, write_beside};
pub use pack::{Target, for_host, pack, pack_streamed};
pub use stored::{Origin, Source, Stored};
pub use stream::Streamed;
pub use table::{Sample, streamed_table, table};
