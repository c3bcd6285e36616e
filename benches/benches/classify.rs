//! How long a text takes to become signals, by its length; and its stages alone.

use sluice_benches::{experts, measure, prompt, trained};
use sluice_router::{classify, count, estimate_tokens};

fn main() {
    let params = trained();
    let names = experts();
    let binding = params.bind(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for bytes in [100, 500, 2_048, 4_096, 220_000] {
        let text = prompt(7, bytes);
        measure(&format!("classify, 14 experts, {bytes} bytes"), || classify(&params, &text, &binding));
    }
    let chinese = "关于剥夺政治权利，下列说法错误的有哪些？请说明理由。".repeat(27);
    measure("classify, 14 experts, 2,100 bytes of Chinese", || classify(&params, &chinese, &binding));
    let text = prompt(7, 2_048);
    measure("  of it: count n-grams and shape, 2,048 bytes", || count(&text));
    let long = prompt(7, 220_000);
    measure("estimate tokens, 220,000 bytes", || estimate_tokens(&long));
}
