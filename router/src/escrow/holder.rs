//! Whose share it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One start of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The gateway's own id, which outlives its restarts.
    pub gateway: String,
    /// Which start of it: later ones have higher numbers.
    pub epoch: u64,
}

/// Keys of JSON objects are strings: `EPOCH@GATEWAY`.
impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}@{}", self.epoch, self.gateway))
    }
}

impl<'de> Deserialize<'de> for Holder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Holder, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once('@').and_then(|(epoch, gateway)| Some((epoch.parse().ok()?, gateway)));
        let (epoch, gateway) =
            parts.ok_or_else(|| serde::de::Error::custom("a holder is written EPOCH@GATEWAY"))?;
        Ok(Holder { gateway: gateway.to_owned(), epoch })
    }
}
