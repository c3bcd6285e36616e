//! Numbers to bytes and back, little endian, never trusting a length.

use crate::params::ParamsError;

/// Appends to a byte string.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.0.extend(value.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("a model has fewer than 2^32 numbers of a kind"));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn texts(&mut self, texts: &[String]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    pub(crate) fn u32s(&mut self, values: &[u32]) {
        self.length(values.len());
        values.iter().for_each(|&value| self.u32(value));
    }

    pub(crate) fn u64s(&mut self, values: &[u64]) {
        self.length(values.len());
        values.iter().for_each(|&value| self.u64(value));
    }

    pub(crate) fn f32s(&mut self, values: &[f32]) {
        self.length(values.len());
        values.iter().for_each(|&value| self.f32(value));
    }

    pub(crate) fn i16s(&mut self, values: &[i16]) {
        self.length(values.len());
        values.iter().for_each(|&value| self.0.extend(value.to_le_bytes()));
    }
}

/// Takes from a byte string; whatever is missing or not finite is an error.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ParamsError> {
        if length > self.0.len() {
            return Err(ParamsError::Invalid("it ends too early"));
        }
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(taken)
    }

    /// Elements of `size` bytes each; the length is checked against what is left before anything is allocated.
    fn chunks(&mut self, size: usize) -> Result<std::slice::ChunksExact<'a, u8>, ParamsError> {
        let length = self.u32()? as usize;
        let bytes = length.checked_mul(size).ok_or(ParamsError::Invalid("a length is absurd"))?;
        Ok(self.take(bytes)?.chunks_exact(size))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ParamsError> {
        self.take(4).map(|bytes| u32::from_le_bytes(sized(bytes)))
    }

    pub(crate) fn f32(&mut self) -> Result<f32, ParamsError> {
        finite(f32::from_le_bytes(sized(self.take(4)?)))
    }

    pub(crate) fn text(&mut self) -> Result<String, ParamsError> {
        let length = self.u32()? as usize;
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| ParamsError::Invalid("a name is not UTF-8"))
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>, ParamsError> {
        let length = self.u32()?;
        (0..length).map(|_| self.text()).collect() // stops at the first name that isn't there
    }

    pub(crate) fn u32s(&mut self) -> Result<Vec<u32>, ParamsError> {
        Ok(self.chunks(4)?.map(|bytes| u32::from_le_bytes(sized(bytes))).collect())
    }

    pub(crate) fn u64s(&mut self) -> Result<Vec<u64>, ParamsError> {
        Ok(self.chunks(8)?.map(|bytes| u64::from_le_bytes(sized(bytes))).collect())
    }

    pub(crate) fn f32s(&mut self) -> Result<Vec<f32>, ParamsError> {
        self.chunks(4)?.map(|bytes| finite(f32::from_le_bytes(sized(bytes)))).collect()
    }

    pub(crate) fn i16s(&mut self) -> Result<Vec<i16>, ParamsError> {
        Ok(self.chunks(2)?.map(|bytes| i16::from_le_bytes(sized(bytes))).collect())
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("chunks have the size that was asked for")
}

fn finite(value: f32) -> Result<f32, ParamsError> {
    // Sums of numbers below the bound can't overflow, so no prediction is ever infinite or NaN.
    if value.abs() <= LARGEST {
        Ok(value)
    } else {
        Err(ParamsError::Invalid("a weight is not a finite number"))
    }
}

const LARGEST: f32 = 1e9;
