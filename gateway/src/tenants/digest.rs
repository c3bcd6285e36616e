//! What a key's secret hashes to: the only thing of it that is ever kept.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::hint::black_box;

/// A SHA-256. Shows only its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a secret.
    pub fn of(secret: &str) -> Digest {
        Digest(Sha256::digest(secret.as_bytes()).into())
    }

    /// From 64 hex digits.
    ///
    /// # Errors
    /// For people; repeats nothing of the text, which may be the secret itself.
    pub fn from_hex(text: &str) -> Result<Digest, String> {
        let told = || {
            let count = text.chars().count();
            format!(
                "must be the SHA-256 of the key, 64 hex digits, and not the key itself (this has {count} characters); \
                 printf %s \"$KEY\" | sha256sum tells it"
            )
        };
        let digits: Vec<u32> = text.chars().map_while(|digit| digit.to_digit(16)).collect();
        if digits.len() != 64 || text.chars().count() != 64 {
            return Err(told());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] << 4 | pair[1]).expect("two hex digits are a byte");
        }
        Ok(Digest(bytes))
    }

    /// What no secret hashes to.
    pub(super) fn of_nothing() -> Digest {
        Digest([0; 32])
    }

    /// All 64 hex digits: the name of a key's record in the common store, and for nobody's eyes.
    pub fn hex(&self) -> String {
        crate::live::hex(&self.0)
    }

    /// Enough of it to tell keys apart, and far too little to find one.
    pub fn short(&self) -> String {
        format!("key-{}", crate::live::hex(&self.0[..6]))
    }

    /// The half by which it is looked up.
    pub(super) fn half(&self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        half
    }

    /// Whether both are the same; takes the same time for all that differ, wherever they do.
    pub(super) fn is_same(&self, other: &Digest) -> bool {
        let differs = self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| differs | black_box(a ^ b));
        black_box(differs) == 0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sha_256_that_everybody_computes() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of("abc").hex(), hex);
        let read = Digest::from_hex(&hex.to_uppercase()).expect("64 digits");
        assert!(read.is_same(&Digest::of("abc")) && !read.is_same(&Digest::of("abd")));
        assert_eq!(format!("{read:?}"), "key-ba7816bf8f01");
    }

    #[test]
    fn what_is_no_digest_is_not_repeated() {
        for text in ["slk_a-secret-that-was-pasted", "", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(64)] {
            let told = Digest::from_hex(text).expect_err("none");
            assert!(text.is_empty() || !told.contains(text), "{told}");
            assert!(told.contains("64 hex digits"));
        }
    }
}
