//! Adding an expert to a made-up model.
