//! The rules of prices and of `[[fx]]`.

mod way;

use super::super::mistake::{Mistakes, did_you_mean};
use super::super::prices::PriceList;
use super::super::raw::{RawConfig, RawExpert, RawFx, RawPrice};
use crate::tenants::begin_ms;
use sluice_router::{Price, Rate};
use std::collections::{BTreeMap, BTreeSet};
use way::Way;

/// Something with the moment from which on it holds, the earliest first.
type Dated<T> = Vec<(i64, T)>;

/// What each expert charges from each moment on at which a price or a rate changes.
pub(super) fn check_prices(raw: &RawConfig, mistakes: &mut Mistakes) -> Option<PriceList> {
    let rates = check_rates(&raw.fx, mistakes);
    let experts = raw.expert.iter().enumerate();
    let dated: Vec<Option<Dated<Price>>> =
        experts.map(|(at, expert)| check_expert(at, expert, &rates, mistakes)).collect();
    let dated: Vec<Dated<Price>> = dated.into_iter().collect::<Option<_>>()?;
    let moments: BTreeSet<i64> = dated.iter().flatten().map(|(from, _)| *from).collect();
    let at = |moment: i64| dated.iter().filter_map(|prices| in_force(prices, moment).copied()).collect();
    Some(PriceList::new(moments.into_iter().map(|moment| (moment, at(moment))).collect()))
}

/// The rates of each currency; the dollar has one.
fn check_rates<'a>(raws: &'a [RawFx], mistakes: &mut Mistakes) -> BTreeMap<&'a str, Dated<Rate>> {
    let mut rates = BTreeMap::from([("USD", vec![(i64::MIN, Rate::USD)])]);
    for (n, raw) in raws.iter().enumerate() {
        let key = |field: &str| format!("fx[{n}].{field}");
        if raw.currency == "USD" {
            mistakes.note(key("currency"), "a dollar is worth a dollar; leave it out");
            continue;
        }
        let rate = mistakes.take(&key("usd"), Rate::from_usd(&raw.usd));
        let from = moment(&key("from"), raw.from.as_deref(), mistakes);
        let Some((rate, from)) = rate.zip(from) else { continue };
        let of_currency = rates.entry(&raw.currency).or_default();
        if of_currency.iter().any(|(other, _)| *other == from) {
            mistakes.note(key("from"), format!("{} has another rate from then on", raw.currency));
        }
        of_currency.push((from, rate));
        of_currency.sort_by_key(|(from, _)| *from);
    }
    rates
}

/// An expert's prices in dollars: a new one wherever its own price or its currency's rate changes.
fn check_expert(
    at: usize,
    expert: &RawExpert,
    rates: &BTreeMap<&str, Dated<Rate>>,
    mistakes: &mut Mistakes,
) -> Option<Dated<Price>> {
    let key = format!("expert[{at}].price");
    if expert.price.from.is_some() {
        mistakes.note(
            format!("{key}.from"),
            "this price holds before every other; dated ones go into price_from",
        );
    }
    let mut listed: Dated<(String, &RawPrice)> = vec![(i64::MIN, (key, &expert.price))];
    for (n, raw) in expert.price_from.iter().enumerate() {
        let key = format!("expert[{at}].price_from[{n}]");
        if raw.from.is_none() {
            mistakes.note(&key, "from is missing: the date on which it begins, such as \"2026-12-01\"");
        }
        let from = moment(&format!("{key}.from"), raw.from.as_deref(), mistakes)?;
        if listed.iter().any(|(other, _)| *other == from) {
            mistakes.note(format!("{key}.from"), "the expert has another price from then on");
        }
        listed.push((from, (key, raw)));
    }
    listed.sort_by_key(|(from, _)| *from);
    let spans = listed.iter().zip(listed.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]));
    let of_span =
        spans.map(|((from, (key, raw)), until)| in_dollars(key, raw, (*from, until), rates, mistakes));
    let prices: Option<Vec<Dated<Price>>> = of_span.collect();
    Some(prices?.concat())
}

/// A price in dollars over the span in which it holds.
fn in_dollars(
    key: &str,
    raw: &RawPrice,
    (from, until): (i64, i64),
    rates: &BTreeMap<&str, Dated<Rate>>,
    mistakes: &mut Mistakes,
) -> Option<Dated<Price>> {
    let Some(rates) = rates.get(raw.currency.as_str()) else {
        let near = did_you_mean(&raw.currency, rates.keys().copied());
        let what = format!("there is no [[fx]] for {:?}: what one unit is worth in USD{near}", raw.currency);
        mistakes.note(format!("{key}.currency"), what);
        return None;
    };
    let way = Way::read(key, raw, mistakes)?;
    let changes = rates.iter().map(|(change, _)| *change).filter(|change| from < *change && *change < until);
    let moments: Vec<i64> = std::iter::once(from).chain(changes).collect();
    let price = |moment| way.price(*in_force(rates, moment).unwrap_or(&Rate::USD));
    moments.into_iter().map(|moment| Some((moment, mistakes.take(key, price(moment))?))).collect()
}

/// The last that has begun; before all of them, the first.
fn in_force<T>(dated: &Dated<T>, moment: i64) -> Option<&T> {
    dated.iter().rev().find(|(from, _)| *from <= moment).or(dated.first()).map(|(_, what)| what)
}

/// When something begins; without a date it has held for ever.
fn moment(key: &str, from: Option<&str>, mistakes: &mut Mistakes) -> Option<i64> {
    from.map_or(Some(i64::MIN), |from| mistakes.take(key, begin_ms(from)))
}
