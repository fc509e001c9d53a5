//! Checked access to the tables of a flatbuffer.
//!
//! Every read passes the `flatbuffers` crate's [`Verifier`] first: offsets stay inside the file, numbers lie aligned,
//! and what is read in all is a small multiple of what the file holds, however often its parts refer to each other.
//! Nothing here is `unsafe`, as no accessor trusts an earlier pass.
//!
//! Layout, from the FlatBuffers internals page: the file starts with the offset of the root table and, at byte 4, an
//! identifier. A table starts with the (signed, subtracted) offset of its vtable, which holds its own length, the
//! table's, and for field `id`, at byte `4 + 2 * id`, where in the table the field lies; 0 or a short vtable means
//! absent. Vectors are a count and elements; vectors, strings and tables are referred to by offsets from where the
//! offset lies.

use std::cell::RefCell;

use flatbuffers::{ForwardsUOffset, InvalidFlatbuffer, Vector, Verifiable, Verifier, VerifierOptions};

use super::schema::Field;
use crate::{Error, Result};

/// Fields of a table that can be read: those of `id` below this.
const FIELDS: usize = 13;

/// A file has at least so many bytes for each of its tables; the smallest models of one operator have 24.
const BYTES_A_TABLE: usize = 16;

/// What may be read of a file of so many bytes.
///
/// Tables are opened one at a time, so the depth is 1. The smallest models of one operator are read twice over, as
/// tables share lists of fields and every check counts; files of larger constants, less.
pub(super) fn limits(bytes: usize) -> VerifierOptions {
    VerifierOptions {
        max_depth: 1,
        max_tables: bytes / BYTES_A_TABLE,
        max_apparent_size: 8 * bytes,
        ignore_missing_null_terminator: false,
    }
}

/// A flatbuffer under check.
pub(super) struct File<'a> {
    bytes: &'a [u8],
    verifier: RefCell<Verifier<'a, 'a>>,
}

impl<'a> File<'a> {
    /// A file that may be read within `limits`.
    pub(super) fn new(bytes: &'a [u8], limits: &'a VerifierOptions) -> Self {
        Self { bytes, verifier: RefCell::new(Verifier::new(limits, bytes)) }
    }

    /// All of the file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The table the file starts with.
    pub(super) fn root(&self) -> Result<Table<'_, 'a>> {
        self.follow(0).map_err(|e| Error::new(format!("root table: {e}")))
    }

    /// What an offset stored at `at` points to.
    fn target(&self, at: usize) -> Result<usize, InvalidFlatbuffer> {
        let offset = self.verifier.borrow_mut().get_uoffset(at)?;
        Ok(at.saturating_add(offset as usize))
    }

    /// The table that an offset stored at `at` points to.
    fn follow(&self, at: usize) -> Result<Table<'_, 'a>> {
        let at = self.target(at).map_err(invalid)?;
        let mut verifier = self.verifier.borrow_mut();
        let mut table = verifier.visit_table(at).map_err(invalid)?;
        let mut fields = [None; FIELDS];
        for (field, slot) in fields.iter_mut().zip((4..).step_by(2)) {
            *field = table.deref(slot).map_err(invalid)?;
        }
        table.finish();
        drop(verifier);
        Ok(Table { file: self, fields })
    }
}

/// A table: where its fields lie. Methods take a field's type from the caller, who has it from the schema.
///
/// # Errors
///
/// All methods name the field that is not as the format has it.
#[derive(Clone, Copy)]
pub(super) struct Table<'f, 'a> {
    file: &'f File<'a>,
    fields: [Option<usize>; FIELDS],
}

impl<'f, 'a> Table<'f, 'a> {
    /// A table without a field, as which one that the file leaves out is read.
    pub(super) fn empty(&self) -> Self {
        Self { file: self.file, fields: [None; FIELDS] }
    }

    /// The bytes of a number of type `T`.
    fn number<T: Verifiable, const N: usize>(&self, field: Field) -> Result<Option<[u8; N]>> {
        const { assert!(size_of::<T>() == N) };
        let Some(at) = self.fields[field.id] else { return Ok(None) };
        T::run_verifier(&mut self.file.verifier.borrow_mut(), at).map_err(|e| field.error(invalid(e)))?;
        Ok(self.file.bytes[at..].first_chunk().copied())
    }

    pub(super) fn u8(&self, field: Field, default: u8) -> Result<u8> {
        Ok(self.number::<u8, 1>(field)?.map_or(default, u8::from_le_bytes))
    }

    pub(super) fn i8(&self, field: Field, default: i8) -> Result<i8> {
        Ok(self.number::<i8, 1>(field)?.map_or(default, i8::from_le_bytes))
    }

    /// False unless the file says otherwise, as every flag of the schema that is read here.
    pub(super) fn flag(&self, field: Field) -> Result<bool> {
        match self.u8(field, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(field.error(format!("{other} is neither 0 nor 1"))),
        }
    }

    pub(super) fn i32(&self, field: Field, default: i32) -> Result<i32> {
        Ok(self.number::<i32, 4>(field)?.map_or(default, i32::from_le_bytes))
    }

    pub(super) fn u32(&self, field: Field, default: u32) -> Result<u32> {
        Ok(self.number::<u32, 4>(field)?.map_or(default, u32::from_le_bytes))
    }

    pub(super) fn u64(&self, field: Field, default: u64) -> Result<u64> {
        Ok(self.number::<u64, 8>(field)?.map_or(default, u64::from_le_bytes))
    }

    pub(super) fn f32(&self, field: Field, default: f32) -> Result<f32> {
        Ok(self.number::<f32, 4>(field)?.map_or(default, f32::from_le_bytes))
    }

    /// The elements of a vector of `T` as bytes, `N` each; none where the vector is absent.
    fn vector<T, const N: usize>(&self, field: Field) -> Result<&'a [[u8; N]]>
    where
        for<'v> Vector<'v, T>: Verifiable,
    {
        const { assert!(size_of::<T>() == N) };
        let Some(at) = self.fields[field.id] else { return Ok(&[]) };
        let bytes = || {
            <ForwardsUOffset<Vector<T>>>::run_verifier(&mut self.file.verifier.borrow_mut(), at)?;
            let start = self.file.target(at)?;
            let count = self.file.verifier.borrow_mut().get_uoffset(start)? as usize;
            Ok(&self.file.bytes[start + 4..][..count * N])
        };
        let bytes: &'a [u8] = bytes().map_err(|e| field.error(invalid(e)))?;
        Ok(bytes.as_chunks().0)
    }

    pub(super) fn bytes(&self, field: Field) -> Result<&'a [u8]> {
        Ok(self.vector::<u8, 1>(field)?.as_flattened())
    }

    pub(super) fn i32s(&self, field: Field) -> Result<impl ExactSizeIterator<Item = i32> + use<'a>> {
        Ok(self.vector::<i32, 4>(field)?.iter().map(|&b| i32::from_le_bytes(b)))
    }

    pub(super) fn i64s(&self, field: Field) -> Result<impl ExactSizeIterator<Item = i64> + use<'a>> {
        Ok(self.vector::<i64, 8>(field)?.iter().map(|&b| i64::from_le_bytes(b)))
    }

    pub(super) fn f32s(&self, field: Field) -> Result<impl ExactSizeIterator<Item = f32> + use<'a>> {
        Ok(self.vector::<f32, 4>(field)?.iter().map(|&b| f32::from_le_bytes(b)))
    }

    /// Text; empty where it is absent. Bytes that are no UTF-8 are replaced: names mean nothing to the reader.
    pub(super) fn text(&self, field: Field) -> Result<String> {
        Ok(String::from_utf8_lossy(self.bytes(field)?).into_owned())
    }

    /// True where the file has the field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.fields[field.id].is_some()
    }

    pub(super) fn table(&self, field: Field) -> Result<Option<Table<'f, 'a>>> {
        self.fields[field.id].map(|at| self.file.follow(at)).transpose().map_err(|e| field.error(e))
    }

    /// The tables of a vector of them, each opened as it is reached; none where it is absent. There are no more than
    /// can be held.
    pub(super) fn tables(
        &self,
        field: Field,
    ) -> Result<impl ExactSizeIterator<Item = Result<Table<'f, 'a>>> + use<'f, 'a>> {
        let count = self.vector::<u32, 4>(field)?.len();
        if count > self.file.bytes.len() / BYTES_A_TABLE {
            return Err(field.error(invalid(InvalidFlatbuffer::TooManyTables)));
        }
        let start = match self.fields[field.id] {
            Some(at) => self.file.target(at).map_err(|e| field.error(invalid(e)))? + 4,
            None => 0,
        };
        let file = self.file;
        Ok((0..count).map(move |i| file.follow(start + 4 * i)))
    }
}

/// What the verifier has against the file, in one line.
fn invalid(error: InvalidFlatbuffer) -> Error {
    Error::new(match error {
        InvalidFlatbuffer::RangeOutOfBounds { range, .. } => {
            format!("bytes {} to {} lie beyond the end of the file; is it truncated?", range.start, range.end)
        }
        InvalidFlatbuffer::SignedOffsetOutOfBounds { position, .. } => {
            format!(
                "the table at byte {position} has its field list beyond the end of the file; is it truncated?"
            )
        }
        InvalidFlatbuffer::Unaligned { position, .. } => {
            format!("byte {position} is not aligned; the file is corrupt")
        }
        InvalidFlatbuffer::TooManyTables | InvalidFlatbuffer::ApparentSizeTooLarge => {
            "the parts of the file refer to each other over and over; it is corrupt".to_string()
        }
        InvalidFlatbuffer::MissingRequiredField { .. }
        | InvalidFlatbuffer::InconsistentUnion { .. }
        | InvalidFlatbuffer::Utf8Error { .. }
        | InvalidFlatbuffer::MissingNullTerminator { .. }
        | InvalidFlatbuffer::DepthLimitReached => format!("the file is corrupt: {error}"),
    })
}
