//! Which floor to recommend.

use super::report::Point;

/// The rule in words.
pub(super) const RULE: &str = "the knee: of the certified floors up to 1, the one that lies highest above the straight \
     line from always taking the reference (floor 1, nothing saved) to the lowest floor of the sweep. Raising the floor \
     beyond it costs more saving per point than the line does; lowering it buys less.";

/// The position of the knee; the higher floor of equals. `None` if nothing certified saves anything.
///
/// Source: the knee of Satopaa et al., Finding a Kneedle in a Haystack (2011), without smoothing.
pub(super) fn knee(points: &[Point]) -> Option<usize> {
    let usable = |point: &Point| point.certified && point.floor <= 1.0 && point.saved_pct > 0.0;
    let lowest = points.iter().find(|point| usable(point))?;
    let most = points.iter().filter(|point| usable(point)).map(|point| point.saved_pct).fold(0.0, f64::max);
    let span = (1.0 - lowest.floor).max(f64::MIN_POSITIVE);
    let above = |point: &Point| point.saved_pct / most - (1.0 - point.floor) / span;
    let usable = points.iter().enumerate().filter(|(_, point)| usable(point));
    usable
        .max_by(|(_, a), (_, b)| above(a).total_cmp(&above(b)).then(a.floor.total_cmp(&b.floor)))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::report::Band;

    fn point(floor: f64, certified: bool, saved_pct: f64) -> Point {
        Point {
            floor,
            certified,
            threshold: None,
            method: None,
            refusal: None,
            saved_pct,
            quality_ratio: floor,
            band: Band { saved_pct: (0.0, 0.0), quality_ratio: (0.0, 0.0) },
        }
    }

    #[test]
    fn the_knee_is_where_saving_stops_to_rise() {
        let curve = [(0.8, 90.0), (0.85, 88.0), (0.9, 85.0), (0.95, 50.0), (1.0, 10.0), (1.05, 9.0)];
        let points: Vec<Point> = curve.iter().map(|&(floor, saved)| point(floor, true, saved)).collect();
        assert_eq!(knee(&points).map(|at| points[at].floor), Some(0.9));
    }

    #[test]
    fn flat_savings_recommend_the_highest_floor_and_none_recommends_nothing() {
        let flat: Vec<Point> =
            (80..=100).map(|percent| point(f64::from(percent) / 100.0, true, 70.0)).collect();
        assert_eq!(knee(&flat), Some(20));
        assert_eq!(knee(&[point(0.9, false, 0.0), point(0.95, false, 0.0)]), None);
        assert_eq!(knee(&[point(1.0, true, 5.0)]), Some(0));
    }
}
