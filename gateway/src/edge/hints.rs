//! What a request's headers, or gRPC metadata of the same names, ask for.

use crate::error::Fault;
use crate::request::Hints;
use crate::tenants::short_hash;
use http::HeaderMap;
use sluice_router::{NanoUsd, Privacy, Tick};
use uuid::Uuid;

/// Everything that headers ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    /// What the router and the spine keep to.
    pub(crate) hints: Hints,
    /// When the answer must be complete: the earlier of `x-sluice-deadline-ms` and `grpc-timeout`.
    pub(crate) deadline: Option<Tick>,
    /// `x-sluice-dry-run`: show the decision, send nothing.
    pub(crate) is_dry_run: bool,
}

/// Reads the hints of a request that came at `received`. `grpc-timeout` is read by `grpc_deadline`.
///
/// # Errors
/// A header with a value that can't be meant; the fault's `param` is its name.
pub(crate) fn parse(headers: &HeaderMap, received: Tick) -> Result<Asked, Fault> {
    let hints = Hints {
        floor: single(headers, FLOOR, floor)?,
        max_cost: single(headers, MAX_COST, max_cost)?,
        domain: single(headers, DOMAIN, domain)?,
        tags: tags(headers)?,
        residency: residency(headers)?,
        privacy: single(headers, PRIVACY, privacy)?.unwrap_or_default(),
        idempotency_key: idempotency_key(headers)?,
    };
    let deadline = single(headers, DEADLINE, deadline_ms)?.map(|ms| received.plus_ms(ms));
    let is_dry_run = single(headers, DRY_RUN, boolean)?.unwrap_or(false);
    Ok(Asked { hints, deadline, is_dry_run })
}

/// When `grpc-timeout` of a request that came at `received` passes: 1 to 8 digits and one of `H M S m u n`.
///
/// # Errors
/// Anything else in that header.
pub(crate) fn grpc_deadline(headers: &HeaderMap, received: Tick) -> Result<Option<Tick>, Fault> {
    let timeout_us = single(headers, GRPC_TIMEOUT, grpc_timeout_us)?;
    Ok(timeout_us.map(|us| Tick(received.0.saturating_add(us))))
}

/// What logs and answers call a request: its well-formed `x-request-id`, else our own id.
pub(crate) fn label(headers: &HeaderMap, id: Uuid) -> String {
    let well_formed = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(allowed)
    };
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(well_formed);
    sent.map_or_else(|| id.to_string(), str::to_owned)
}

/// Whose a request is where no tenants are configured, as a hash of its `authorization`: whoever sends none shares one
/// line with all others who don't.
pub(crate) fn stranger(headers: &HeaderMap) -> u64 {
    headers.get(http::header::AUTHORIZATION).map_or(0, |key| short_hash(key.as_bytes()))
}

/// The key that a request came with, of `authorization: Bearer KEY`; `None` where there is none, or more than one, so that
/// a proxy that adds its own can't be mistaken for the client.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

pub(crate) const REQUEST_ID: &str = "x-request-id";
const FLOOR: &str = "x-sluice-floor";
const MAX_COST: &str = "x-sluice-max-cost-usd";
const DEADLINE: &str = "x-sluice-deadline-ms";
const DOMAIN: &str = "x-sluice-domain";
const TAGS: &str = "x-sluice-tags";
const RESIDENCY: &str = "x-sluice-residency";
const PRIVACY: &str = "x-sluice-privacy";
const DRY_RUN: &str = "x-sluice-dry-run";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const OUR_IDEMPOTENCY_KEY: &str = "x-sluice-idempotency-key";
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// One value at most, so that a proxy that adds its own can't be mistaken for the client.
fn single<T>(
    headers: &HeaderMap,
    name: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::invalid(name, format!("{name} is given twice; send it once")));
    }
    let text = text(name, value)?;
    read(text.trim()).map(Some).map_err(|why| Fault::invalid(name, format!("{name} {why}")))
}

fn text<'a>(name: &'static str, value: &'a http::HeaderValue) -> Result<&'a str, Fault> {
    value.to_str().map_err(|_| Fault::invalid(name, format!("{name} holds bytes that are not ASCII text")))
}

/// The parts of a header that is a comma-separated list and may come in several lines.
fn list<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Vec<&'a str>, Fault> {
    let mut parts = Vec::new();
    for value in headers.get_all(name) {
        parts.extend(text(name, value)?.split(',').map(str::trim).filter(|part| !part.is_empty()));
        if parts.len() > MOST_PARTS {
            return Err(Fault::invalid(name, format!("{name} has more than {MOST_PARTS} entries")));
        }
    }
    Ok(parts)
}

const MOST_PARTS: usize = 16;
const LONGEST_PART: usize = 64;
const LONGEST_KEY: usize = 255;

fn floor(text: &str) -> Result<f64, String> {
    let floor: f64 = text.parse().map_err(|_| "is not a number; send one from 0 to 1".to_owned())?;
    match (0.0..=1.0).contains(&floor) {
        true => Ok(floor),
        false => Err("is outside 0 to 1".to_owned()),
    }
}

fn max_cost(text: &str) -> Result<NanoUsd, String> {
    match NanoUsd::from_usd(text) {
        Ok(amount) if amount > NanoUsd::ZERO => Ok(amount),
        Ok(_) => Err("must be above 0".to_owned()),
        Err(_) => {
            Err("is not a decimal amount of USD with at most nine places, for instance 0.05".to_owned())
        }
    }
}

fn deadline_ms(text: &str) -> Result<u64, String> {
    let ms = digits(text).ok_or("is not a whole number of milliseconds")?;
    if ms == 0 { Err("must be at least 1".to_owned()) } else { Ok(ms) }
}

/// A number of decimal digits only: no sign, no space, no point.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn domain(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LONGEST_PART {
        return Err(format!("must have 1 to {LONGEST_PART} characters"));
    }
    Ok(text.to_owned())
}

fn privacy(text: &str) -> Result<Privacy, String> {
    match text {
        "public" => Ok(Privacy::Public),
        "private" => Ok(Privacy::Private),
        "device" => Ok(Privacy::Device),
        _ => Err("must be public, private or device".to_owned()),
    }
}

/// Proxies may keep one of its two names for themselves, so either does.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let theirs = single(headers, IDEMPOTENCY_KEY, visible)?;
    let ours = single(headers, OUR_IDEMPOTENCY_KEY, visible)?;
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let why = format!("{OUR_IDEMPOTENCY_KEY} differs from {IDEMPOTENCY_KEY}; send one of them");
            Err(Fault::invalid(OUR_IDEMPOTENCY_KEY, why))
        }
        (theirs, ours) => Ok(ours.or(theirs)),
    }
}

fn visible(text: &str) -> Result<String, String> {
    let is_good = (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| format!("must have 1 to {LONGEST_KEY} visible ASCII characters, no spaces"))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn tags(headers: &HeaderMap) -> Result<Vec<(String, String)>, Fault> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for part in list(headers, TAGS)? {
        let pair = part.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) else {
            return Err(Fault::invalid(TAGS, format!("{TAGS} has an entry that is not key=value")));
        };
        if part.len() > LONGEST_PART {
            return Err(Fault::invalid(
                TAGS,
                format!("{TAGS} has an entry of more than {LONGEST_PART} bytes"),
            ));
        }
        if tags.iter().any(|(seen, _)| seen == key) {
            return Err(Fault::invalid(TAGS, format!("{TAGS} has the same key twice")));
        }
        tags.push((key.to_owned(), value.to_owned()));
    }
    Ok(tags)
}

fn residency(headers: &HeaderMap) -> Result<Vec<String>, Fault> {
    let regions = list(headers, RESIDENCY)?;
    if regions.iter().any(|region| region.len() > LONGEST_PART) {
        let why = format!("{RESIDENCY} has a region of more than {LONGEST_PART} bytes");
        return Err(Fault::invalid(RESIDENCY, why));
    }
    if regions.is_empty() && headers.contains_key(RESIDENCY) {
        return Err(Fault::invalid(RESIDENCY, format!("{RESIDENCY} names no region; drop it or name one")));
    }
    Ok(regions.into_iter().map(str::to_owned).collect())
}

fn grpc_timeout_us(text: &str) -> Result<u64, String> {
    const FORM: &str = "must be 1 to 8 digits and one of H, M, S, m, u, n";
    let unit = text.chars().last().ok_or(FORM)?;
    let number = &text[..text.len() - unit.len_utf8()];
    if number.is_empty() || number.len() > 8 {
        return Err(FORM.to_owned());
    }
    let number = digits(number).ok_or(FORM)?;
    match unit {
        'H' => Ok(number * 3_600_000_000),
        'M' => Ok(number * 60_000_000),
        'S' => Ok(number * 1_000_000),
        'm' => Ok(number * 1_000),
        'u' => Ok(number),
        'n' => Ok(number.div_ceil(1_000)),
        _ => Err(FORM.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        headers
    }

    fn refused(pairs: &[(&'static str, &str)]) -> Fault {
        parse(&headers(pairs), Tick(0)).expect_err("must be refused")
    }

    #[test]
    fn hints_are_read() {
        let asked = parse(
            &headers(&[
                ("x-sluice-floor", "0.97"),
                ("x-sluice-max-cost-usd", "0.05"),
                ("x-sluice-deadline-ms", "1500"),
                ("x-sluice-domain", "law"),
                ("x-sluice-tags", "team=a, app=b"),
                ("x-sluice-tags", "run=7"),
                ("x-sluice-residency", "cn-north,eu"),
                ("x-sluice-privacy", "private"),
                ("x-sluice-dry-run", "true"),
                ("idempotency-key", "order-7"),
                ("x-sluice-idempotency-key", "order-7"),
                ("x-sluice-session", "not read yet"),
            ]),
            Tick(1_000),
        )
        .expect("all are well-formed");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let hints = Hints {
            floor: Some(0.97),
            max_cost: Some(NanoUsd(50_000_000)),
            domain: Some("law".to_owned()),
            tags: vec![pair("team", "a"), pair("app", "b"), pair("run", "7")],
            residency: vec!["cn-north".to_owned(), "eu".to_owned()],
            privacy: Privacy::Private,
            idempotency_key: Some("order-7".to_owned()),
        };
        assert_eq!(asked, Asked { hints, deadline: Some(Tick(1_501_000)), is_dry_run: true });
    }

    #[test]
    fn no_headers_ask_for_nothing() {
        assert_eq!(parse(&HeaderMap::new(), Tick(5)).expect("fine"), Asked::default());
    }

    #[test]
    fn a_bad_hint_is_refused_by_name() {
        let long = "a".repeat(65);
        let many: Vec<String> = (0..17).map(|n| format!("k{n}=v")).collect();
        let many = many.join(",");
        let key = "k".repeat(256);
        let cases = [
            ("x-sluice-floor", "1.01"),
            ("x-sluice-floor", "-0.1"),
            ("x-sluice-floor", "NaN"),
            ("x-sluice-floor", "inf"),
            ("x-sluice-floor", "high"),
            ("x-sluice-max-cost-usd", "0"),
            ("x-sluice-max-cost-usd", "-1"),
            ("x-sluice-max-cost-usd", "1e3"),
            ("x-sluice-max-cost-usd", "$1"),
            ("x-sluice-deadline-ms", "0"),
            ("x-sluice-deadline-ms", "-5"),
            ("x-sluice-deadline-ms", "+5"),
            ("x-sluice-deadline-ms", "1.5"),
            ("x-sluice-deadline-ms", "99999999999999999999999"),
            ("x-sluice-domain", ""),
            ("x-sluice-domain", &long),
            ("x-sluice-domain", "gesetz\u{fc}"),
            ("x-sluice-tags", "alone"),
            ("x-sluice-tags", "=v"),
            ("x-sluice-tags", "a=1,a=2"),
            ("x-sluice-tags", &format!("k={long}")),
            ("x-sluice-tags", &many),
            ("x-sluice-residency", &long),
            ("x-sluice-residency", " , "),
            ("x-sluice-privacy", "secret"),
            ("x-sluice-dry-run", "maybe"),
            ("idempotency-key", ""),
            ("idempotency-key", "two words"),
            ("x-sluice-idempotency-key", &key),
        ];
        for (name, value) in cases {
            let fault = refused(&[(name, value)]);
            assert_eq!(fault.param.as_deref(), Some(name), "{value}");
            assert!(fault.detail.starts_with(name), "{}", fault.detail);
        }
        let two = refused(&[("idempotency-key", "a"), ("x-sluice-idempotency-key", "b")]);
        assert_eq!(two.param.as_deref(), Some("x-sluice-idempotency-key"));
        let twice = refused(&[("x-sluice-floor", "0.9"), ("x-sluice-floor", "0.1")]);
        assert_eq!(twice.param.as_deref(), Some("x-sluice-floor"));
    }

    #[test]
    fn grpc_timeouts_have_eight_digits_and_a_unit() {
        let read = |value: &str| grpc_deadline(&headers(&[("grpc-timeout", value)]), Tick(1));
        for (value, us) in [
            ("1H", 3_600_000_000),
            ("2M", 120_000_000),
            ("3S", 3_000_000),
            ("50m", 50_000),
            ("7u", 7),
            ("1001n", 2),
            ("0S", 0),
            ("99999999H", 99_999_999 * 3_600_000_000),
        ] {
            assert_eq!(read(value), Ok(Some(Tick(1 + us))), "{value}");
        }
        for value in ["", "S", "5", "123456789S", "-1S", "1.5S", "1s", "1h", "1 S", "1秒"] {
            assert!(read(value).is_err(), "{value:?} must be refused");
        }
        assert_eq!(grpc_deadline(&HeaderMap::new(), Tick(1)), Ok(None));
    }

    #[test]
    fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
        let id = Uuid::from_u128(7);
        let of = |value: &str| label(&headers(&[("x-request-id", value)]), id);
        assert_eq!(of("Req_1-a.b:c"), "Req_1-a.b:c");
        assert_eq!(of(&"a".repeat(128)), "a".repeat(128));
        for bad in ["", "with space", "tab\there", &"a".repeat(129), "ü"] {
            assert_eq!(of(bad), id.to_string(), "{bad:?}");
        }
        assert_eq!(label(&HeaderMap::new(), id), id.to_string());
    }
}
