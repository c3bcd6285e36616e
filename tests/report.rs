//! `sluice report` as a user runs it: sums of a ledger that a gateway's journal wrote.

use serde_json::Value;
use sluice_gateway::{Account, AttemptRecord, LedgerEntry, Phase, Record, Settled, invariants, open_journal};
use sluice_router::{NanoUsd, Tokens};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-08-01T00:00:00Z.
const AUGUST_MS: i64 = 1_785_542_400_000;
const HOUR_MS: i64 = 3_600_000;

/// One request an hour from the start of August on; the fifth one failed.
fn settled(n: i64) -> Settled {
    let cost = NanoUsd(1_000_000_007 + n);
    let (is_ok, is_acme) = (n != 5, n % 2 == 0);
    let attempt = AttemptRecord {
        n: 0,
        expert: "small".to_owned(),
        pool: "small-a".to_owned(),
        replica: "127.0.0.1:1".to_owned(),
        end: if is_ok { "done" } else { "broken" },
        detail: String::new(),
        tokens: Tokens { prompt: 10, cached: 4, cache_write: 2, output: 20 },
        estimated: false,
        cost,
        wait_ms: 0.0,
        ttft_ms: None,
        total_ms: 5.0,
    };
    let entry = LedgerEntry {
        attempt: 0,
        phase: Phase::Settle,
        debit: if is_ok { Account::Spent } else { Account::Overhead },
        credit: Account::Funded,
        amount: cost,
        price_version: "c0ffee".to_owned(),
    };
    let settled = Settled {
        request_id: Uuid::from_u128(n as u128 + 1),
        label: format!("r-{n}"),
        at_unix_ms: AUGUST_MS + n * HOUR_MS,
        tenant: if is_acme { "acme" } else { "default" }.to_owned(),
        project: String::new(),
        key: String::new(),
        route: "auto".to_owned(),
        front: "grpc",
        domain: "law".to_owned(),
        language: "en".to_owned(),
        status: if is_ok { "ok" } else { "upstream_error" },
        expert: if is_ok { "small" } else { "" }.to_owned(),
        floor_held: true,
        cost,
        baseline: NanoUsd(3_000_000_000),
        ttft_ms: None,
        total_ms: 5.0,
        tags: vec![("team".to_owned(), "a, \"b\"".to_owned())],
        receipt: None,
        attempts: vec![attempt],
        entries: vec![entry],
        charges: vec![],
    };
    invariants::check_settled(&settled).expect("a request as the gateway settles it");
    settled
}

/// The URL of a ledger with ten requests.
fn ledger(folder: &TempDir) -> String {
    let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let journal = open_journal(&url).expect("opens");
        for n in 0..10 {
            journal.record(Record::Settled(Box::new(settled(n)))).await;
        }
        journal.flush().await.expect("durable");
    });
    url
}

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice")).arg("report").args(arguments).output().expect("runs")
}

fn json(arguments: &[&str]) -> Value {
    let output = report(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "nothing but the object");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn the_sums_are_those_of_the_requests_to_the_nano_dollar() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let sums = json(&["--ledger", &url, "--json"]);
    let cost: i64 = (0..10).map(|n| settled(n).cost.0).sum();
    assert_eq!(
        (&sums["requests"], &sums["attempts"], &sums["entries"]),
        (&10.into(), &10.into(), &10.into())
    );
    assert_eq!(sums["cost_nanousd"], cost);
    assert_eq!(sums["baseline_nanousd"], 30_000_000_000_i64);
    assert_eq!(sums["saved_nanousd"], 30_000_000_000 - cost);
    assert_eq!(sums["overhead_nanousd"], settled(5).cost.0);
    assert_eq!(
        sums["tokens"],
        serde_json::json!({"prompt": 100, "cached": 40, "cache_write": 20, "output": 200})
    );
    assert_eq!(sums["groups"], serde_json::json!([]));
}

#[test]
fn groups_have_names_and_add_up() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let sums = json(&["--ledger", &url, "--json", "--by", "expert,tenant"]);
    let groups = sums["groups"].as_array().expect("a list");
    let names: Vec<&Value> = groups.iter().map(|group| &group["by"]).collect();
    let named = |expert: &str, tenant: &str| serde_json::json!({"expert": expert, "tenant": tenant});
    let expected = [named("", "default"), named("small", "acme"), named("small", "default")];
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let add = |key: &str| groups.iter().map(|group| group[key].as_i64().expect("an integer")).sum::<i64>();
    for key in
        ["requests", "cost_nanousd", "baseline_nanousd", "saved_nanousd", "overhead_nanousd", "entries"]
    {
        assert_eq!(sums[key], add(key), "{key}");
    }
}

#[test]
fn a_span_of_time_ends_before_its_end() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let count = |from: &str, to: &str| {
        json(&["--ledger", &url, "--json", "--from", from, "--to", to])["requests"]
            .as_u64()
            .expect("a number")
    };
    assert_eq!(count("2026-08-01", "2026-08-02"), 10);
    assert_eq!(count("2026-08-01T02:00:00Z", "2026-08-01T04:00:00Z"), 2);
    assert_eq!(count("2026-07-01", "2026-08-01"), 0);
}

/// A file's records by RFC 4180, as far as these files go.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    rows
}

#[test]
fn a_focus_file_has_the_ledgers_sum_to_the_nano_dollar() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let file = folder.path().join("focus.csv");
    let focus = file.to_str().expect("UTF-8");
    let sums = json(&["--ledger", &url, "--json", "--focus", focus]);
    let rows = csv(&std::fs::read_to_string(&file).expect("written"));
    let head = "BilledCost EffectiveCost ListCost ContractedCost BillingAccountId BillingAccountName BillingCurrency \
                BillingPeriodStart BillingPeriodEnd ChargePeriodStart ChargePeriodEnd ChargeCategory ChargeClass \
                ChargeDescription InvoiceIssuerName PricingQuantity PricingUnit ProviderName PublisherName \
                ServiceCategory ServiceName ConsumedQuantity ConsumedUnit ListUnitPrice ContractedUnitPrice SkuId \
                SkuPriceId SkuMeter ResourceId ResourceName ResourceType RegionId SubAccountId SubAccountName Tags \
                PricingCategory ChargeFrequency";
    assert_eq!(rows[0].join(" "), head.split_whitespace().collect::<Vec<_>>().join(" "));
    let column = |name: &str| rows[0].iter().position(|column| column == name).expect(name);
    let sum = |name: &str| -> i64 {
        let amounts = rows[1..].iter().map(|row| NanoUsd::from_usd(&row[column(name)]).expect("decimal").0);
        amounts.sum()
    };
    for name in ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] {
        assert_eq!(sums["cost_nanousd"], sum(name), "{name}");
    }
    let meters: std::collections::BTreeSet<&str> =
        rows[1..].iter().map(|row| row[column("SkuMeter")].as_str()).collect();
    let expected = ["Cache Write Tokens", "Cached Input Tokens", "Input Tokens", "Output Tokens"];
    assert_eq!(meters.into_iter().collect::<Vec<_>>(), expected);
    let output = rows[1..].iter().filter(|row| row[column("SkuMeter")] == "Output Tokens");
    let output: u64 =
        output.map(|row| row[column("ConsumedQuantity")].parse::<u64>().expect("a number")).sum();
    assert_eq!(sums["tokens"]["output"], output);
    // Only a part of the time is a part of the money.
    let part = json(&["--ledger", &url, "--json", "--focus", focus, "--to", "2026-08-01T02:00:00Z"]);
    assert_eq!(part["requests"], 2);
    assert!(csv(&std::fs::read_to_string(&file).expect("written")).len() < rows.len());
}

#[test]
fn days_and_tags_make_groups() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let sums = json(&["--ledger", &url, "--json", "--by", "day,tag:team"]);
    assert_eq!(sums["groups"][0]["by"], serde_json::json!({"day": "2026-08-01", "tag:team": "a, \"b\""}));
    assert_eq!(sums["groups"][0]["cost_nanousd"], sums["cost_nanousd"]);
}

#[test]
fn people_get_a_table() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let output = report(&["--ledger", &url, "--by", "tenant"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("cost       10.000000115 USD"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("acme ") && line.contains("5.000000055")), "{text}");
}

#[test]
fn input_that_is_wrong_ends_with_2_and_the_mend() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let foreign = folder.path().join("notes.txt");
    std::fs::write(&foreign, "to whom it may concern\n".repeat(100)).expect("written");
    let at = |path: &Path| format!("sqlite:{}", path.display());
    let cases: &[(&[&str], &str)] = &[
        (&["--ledger", &at(&folder.path().join("none.db"))], "no such file"),
        (&["--ledger", &at(&foreign)], "not a Sluice ledger"),
        (&["--ledger", "sluice.db"], "sqlite:sluice.db"),
        (&["--ledger", &url, "--by", "colour"], "choose from tenant, project, key, expert"),
        (&["--ledger", &url, "--by", "tenant,tenant"], "twice"),
        (&["--ledger", &url, "--from", "last week"], "write a date such as"),
        (&["--ledger", &url, "--from", "2026-08-02", "--to", "2026-08-02"], "earlier than --to"),
        (&[], "--ledger"),
    ];
    for (arguments, words) in cases {
        let output = report(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{words:?} in {said:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

fn sluice(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice")).args(arguments).output().expect("runs")
}

#[test]
fn a_bill_is_explained_to_the_nano_dollar() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let invoice = folder.path().join("bill.csv");
    let cost: i64 = (0..10).map(|n| settled(n).cost.0).sum();
    let bill = format!(
        "date,model,input_tokens,cached_tokens,cache_write_tokens,output_tokens,amount\n\
         2026-08-01,vendor-small,100,40,20,200,{}\n2026-08-02,vendor-small,1,0,0,1,0.25\n",
        NanoUsd(cost + 3)
    );
    std::fs::write(&invoice, bill).expect("written");
    let invoice = invoice.to_str().expect("UTF-8");
    let asked = ["reconcile", "--ledger", &url, "--invoice", invoice, "--model", "vendor-small=small"];
    let output = sluice(&[&asked[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(told["ledger_nanousd"], cost);
    assert_eq!(told["difference_nanousd"], 250_000_003);
    assert_eq!(
        (&told["price_nanousd"], &told["missing_in_ledger_nanousd"]),
        (&3.into(), &250_000_000.into())
    );
    assert_eq!(
        (&told["rows"][0]["kind"], &told["rows"][1]["kind"]),
        (&"price".into(), &"missing_in_ledger".into())
    );
    let text = String::from_utf8(sluice(&asked).stdout).expect("UTF-8");
    assert!(text.contains("difference  0.250000003 USD"), "{text}");
    let unnamed =
        sluice(&["reconcile", "--ledger", &url, "--invoice", invoice, "--experts", "small", "--json"]);
    let told: Value = serde_json::from_slice(&unnamed.stdout).expect("one JSON object");
    assert_eq!(told["missing_in_bill_nanousd"], cost);
    let wrong = sluice(&["reconcile", "--ledger", &url, "--invoice", &format!("{invoice}.none")]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_purge_forgets_decisions_and_keeps_money() {
    let folder = TempDir::new().expect("a folder");
    let url = ledger(&folder);
    let before = json(&["--ledger", &url, "--json"]);
    let purge = [
        "ledger",
        "purge",
        "--ledger",
        &url,
        "--tenant",
        "acme",
        "--before",
        "2026-08-01T06:00:00Z",
        "--json",
    ];
    let output = sluice(&purge);
    assert_eq!(output.stdout, b"{\"decisions\":0,\"requests\":3,\"attempts\":0}\n");
    assert_eq!(json(&["--ledger", &url, "--json"]), before);
    let tags = json(&["--ledger", &url, "--json", "--by", "tag:team"]);
    let sizes: Vec<_> =
        tags["groups"].as_array().expect("a list").iter().map(|group| &group["requests"]).collect();
    assert_eq!(sizes, [3, 7]);
}

#[test]
fn a_list_of_prices_is_taken_over() {
    let folder = TempDir::new().expect("a folder");
    let list = folder.path().join("list.json");
    let json =
        r#"{"small": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "mode": "chat"}}"#;
    std::fs::write(&list, json).expect("written");
    let list = list.to_str().expect("UTF-8");
    let output = sluice(&["config", "import-prices", list]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let expected = "[expert.\"small\"]\ninput_per_mtok = \"0.15\"\noutput_per_mtok = \"0.6\"\n";
    assert!(text.ends_with(expected), "{text}");
    let missing = sluice(&["config", "import-prices", list, "--only", "large"]);
    assert_eq!(missing.status.code(), Some(2));
}
