//! How long a decision takes, alone and with the classification before it, between 8 experts with 64 replicas each.

use sluice_benches::{ASKED, REPLICAS, Wide, experts, measure, trained};
use sluice_router::{Tick, classify, decide};

fn main() {
    let params = trained();
    let names = experts();
    let binding = params.bind(&names[..ASKED].iter().map(String::as_str).collect::<Vec<_>>());
    for bytes in [2_048, 220_000] {
        let wide = Wide::of(bytes);
        let ready = wide.ask(classify(&params, &wide.text, &binding));
        measure(&format!("decide, {ASKED} x {REPLICAS}, {bytes} bytes"), || {
            decide(&ready, Tick(1_000_000), 7)
        });
        measure(&format!("classify and decide, {ASKED} x {REPLICAS}, {bytes} bytes"), || {
            decide(&wide.ask(classify(&params, &wide.text, &binding)), Tick(1_000_000), 7)
        });
    }
}
