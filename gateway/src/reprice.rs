//! Puts prices in force on their day: the configuration stays, and what decisions are made by is made anew.

use crate::app::App;
use crate::live::Live;
use crate::observe::Event;
use crate::running::{configured, record};
use sluice_experts::Dial;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Looks every second whether other prices begin, until the gateway ends.
pub(crate) async fn keep(app: Arc<App>, dial: Arc<dyn Dial>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let (live, now_ms) = (app.live(), app.clock.unix_ms());
        let is_due = live.config.prices.at(now_ms) != prices(&live);
        if is_due && let Err(why) = change(&app, live, &dial, now_ms).await {
            app.observe.emit(Event::ReloadRefused { why: &format!("prices that begin now: {why}") });
            // Certificates and addresses that were good can hardly be bad now; no log is filled with it.
            stop.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await;
        }
    }
}

/// What is charged by the version in force.
fn prices(live: &Live) -> Vec<sluice_router::Price> {
    live.config.experts.iter().map(|expert| expert.price).collect()
}

/// Makes the version with the prices of now and puts it in force, unless another one has come in the meantime: whoever
/// brought that has looked at the day too. Requests under way keep the prices that they were decided with.
async fn change(app: &App, live: Arc<Live>, dial: &Arc<dyn Dial>, now_ms: i64) -> Result<(), String> {
    let (old, dial) = (live.clone(), dial.clone());
    // Certificates take a moment.
    let built = tokio::task::spawn_blocking(move || {
        let mut config = old.config.clone();
        config.price_at(now_ms);
        Live::new(&config, old.rules.params(), Some(&old), &dial)
    });
    // The pools are what they were, so nobody joins or leaves them.
    let (repriced, _) = built.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    record(app, &repriced).await;
    let found = app.live.compare_and_swap(&live, Arc::new(repriced));
    if Arc::ptr_eq(&live, &found) {
        configured(app, true);
    }
    Ok(())
}

/// How late a price may come into force at most, but for the time that certificates take.
const EVERY: Duration = Duration::from_secs(1);
const AGAIN_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use crate::config::{self, Overrides};
    use crate::machine::Machine;
    use crate::running::start_on;
    use std::path::Path;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[store]
journal = "memory:"
[[fx]]
currency = "CNY"
usd = "0.1380"
[[fx]]
currency = "CNY"
usd = "0.1400"
from = "2026-12-15"
[[expert]]
name = "big"
price = { input_per_mtok = "10", output_per_mtok = "10", currency = "CNY" }
price_from = [{ input_per_mtok = "8", output_per_mtok = "8", currency = "CNY", from = "2026-12-01" }]
[[expert.pool]]
name = "big-pool"
endpoints = ["http://127.0.0.1:1"]
"#;

    /// 2026-11-30T23:59:59.500Z.
    static NOW_MS: AtomicI64 = AtomicI64::new(1_796_083_199_500);

    #[tokio::test]
    async fn a_price_comes_into_force_on_its_day_and_has_a_version_of_its_own() {
        let config = config::parse("test.toml", CONFIG, Path::new("/nowhere"), &Overrides::new());
        let machine = Machine { unix_ms: || NOW_MS.load(Ordering::SeqCst), ..Machine::real() };
        let running = start_on(machine, config.expect("valid")).await.expect("starts");
        let app = running.app().clone();
        let input = || app.live().rules.snapshot.fleet.experts[0].price.input;
        let version = || app.live().rules.versions.config.clone();
        let (first, lane) = (version(), app.live().lanes[0].clone());
        assert_eq!(input(), 1_380_000_000);
        let mut versions = vec![first];
        // The expert's own change, then the rate's.
        for (passed_ms, expected) in [(500, 1_104_000_000), (14 * 86_400_000, 1_120_000_000)] {
            NOW_MS.fetch_add(passed_ms, Ordering::SeqCst);
            tokio::time::timeout(Duration::from_secs(10), async {
                while input() != expected {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await
            .expect("in force soon");
            assert!(!versions.contains(&version()), "another price is another version");
            versions.push(version());
        }
        assert!(std::sync::Arc::ptr_eq(&lane, &app.live().lanes[0]), "lines and connections are kept");
        running.drain().await.expect("written out");
    }
}
