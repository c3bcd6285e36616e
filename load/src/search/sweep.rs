//! Tests at several rates: latency against throughput, cost against goodput.

use crate::search::{Point, Probe, Ran};
use std::str::FromStr;

/// Which rates: those listed, or so many points up to the highest that holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Sweep {
    /// These, in requests per second.
    Rates(Vec<f64>),
    /// So many, evenly up to the highest.
    Points(usize),
}

impl Sweep {
    /// The rates; `most` is the highest, for [`Sweep::Points`].
    pub fn rates(&self, most: f64) -> Vec<f64> {
        match self {
            Sweep::Rates(rates) => rates.clone(),
            Sweep::Points(points) => (1..=*points).map(|at| most * at as f64 / *points as f64).collect(),
        }
    }
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Sweep, String> {
        if !text.contains(',') {
            let points = text.trim().parse().ok().filter(|points| (2..=50).contains(points));
            return points.map(Sweep::Points).ok_or_else(|| {
                format!("{text:?} is neither a number of points (2 to 50) nor a list of rates such as 1,2,4")
            });
        }
        let rates = text.split(',').map(|part| {
            let rate = part.trim().parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
            rate.ok_or_else(|| format!("{part:?} is no rate above 0"))
        });
        Ok(Sweep::Rates(rates.collect::<Result<_, _>>()?))
    }
}

/// Runs a test of `requests` requests at each rate.
///
/// # Errors
/// What `run` says.
pub async fn sweep<E>(
    rates: &[f64],
    requests: u64,
    mut run: impl AsyncFnMut(Probe) -> Result<Ran, E>,
) -> Result<Vec<Point>, E> {
    let mut points = Vec::new();
    for (number, rate_rps) in rates.iter().enumerate() {
        let ran = run(Probe { rate_rps: *rate_rps, requests, number: number as u32 }).await?;
        let mut point = Point::of(*rate_rps, &ran.tally);
        point.why = ran.stop.map(|stop| stop.to_string());
        points.push(point);
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_a_list_or_a_number_of_points() {
        assert_eq!("1, 2.5,4".parse(), Ok(Sweep::Rates(vec![1.0, 2.5, 4.0])));
        assert_eq!("4".parse::<Sweep>().unwrap().rates(10.0), [2.5, 5.0, 7.5, 10.0]);
        for wrong in ["", "1", "x", "1,,2", "1,-2", "1,inf"] {
            assert!(wrong.parse::<Sweep>().is_err(), "{wrong}");
        }
    }
}
