//! Text Generation Inference: `GET /metrics`, always on. It tells the size of its batch, not its memory.

use super::Dialect;

pub(super) const DIALECT: Dialect =
    Dialect { name: "TGI", running: "tgi_batch_current_size", waiting: "tgi_queue_size", memory: &[] };
