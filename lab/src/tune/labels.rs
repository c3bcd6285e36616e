//! Where the labels of a chart go: beside their points, not over one another, not over what is drawn.

/// A box, by its corners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    /// A square around a point.
    pub(super) fn around(x: f64, y: f64, reach: f64) -> Area {
        Area { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }

    fn overlap(&self, other: &Area) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
    }

    fn is_within(&self, frame: &Area) -> bool {
        self.left >= frame.left
            && self.right <= frame.right
            && self.top >= frame.top
            && self.bottom <= frame.bottom
    }
}

/// A label in its place: where its text begins, and the line to its point if it stands away from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) baseline: f64,
    pub(super) leader: Option<(f64, f64, f64, f64)>,
}

/// Places labels one after the other within a frame.
pub(super) struct Labels {
    frame: Area,
    font: f64,
    taken: Vec<Area>,
}

impl Labels {
    pub(super) fn new(frame: Area, font: f64) -> Labels {
        Labels { frame, font, taken: vec![] }
    }

    /// Nothing may stand here.
    pub(super) fn keep_free(&mut self, area: Area) {
        self.taken.push(area);
    }

    /// The place of a text beside a point: the nearest free one; `None` if everything around is taken.
    pub(super) fn place(&mut self, x: f64, y: f64, text: &str) -> Option<Placed> {
        let (width, height) = (text_width(text, self.font), self.font * 1.2);
        let found = DISTANCES.iter().flat_map(|distance| DIRECTIONS.iter().map(move |way| (*distance, *way)));
        let area = |(distance, (dx, dy)): (f64, (f64, f64))| {
            // The box's side or corner that looks to the point is `distance` away from it.
            let (left, top) = (
                x + dx * distance + width * (dx.signum() * f64::from(u8::from(dx != 0.0)) - 1.0) / 2.0,
                y + dy * distance + height * (dy.signum() * f64::from(u8::from(dy != 0.0)) - 1.0) / 2.0,
            );
            (distance, Area { left, top, right: left + width, bottom: top + height })
        };
        let is_free = |(_, area): &(f64, Area)| {
            area.is_within(&self.frame) && self.taken.iter().all(|taken| taken.overlap(area) == 0.0)
        };
        let (distance, area) = found.map(area).find(is_free)?;
        self.taken.push(area);
        let end = (x.clamp(area.left, area.right), y.clamp(area.top, area.bottom));
        let leader = (distance > NEAR).then_some((x, y, end.0, end.1));
        Some(Placed { x: area.left, baseline: area.bottom - self.font * 0.28, leader })
    }
}

/// About how wide a text is.
pub(super) fn text_width(text: &str, font: f64) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 0.56 } else { 1.0 }).sum::<f64>() * font
}

const DISTANCES: [f64; 6] = [9.0, 14.0, 24.0, 38.0, 56.0, 80.0];
const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, 0.0), (0.7, -0.7), (0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (-0.7, 0.7), (0.0, -1.0), (0.0, 1.0)];
/// Labels further away get a line to their point.
const NEAR: f64 = 14.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_crowd_do_not_overlap_and_stay_inside() {
        let frame = Area { left: 0.0, top: 0.0, right: 400.0, bottom: 300.0 };
        let mut labels = Labels::new(frame, 12.0);
        for at in 0..6 {
            labels.keep_free(Area::around(200.0 + f64::from(at), 150.0, 5.0));
        }
        let placed = (0..6).filter_map(|at| labels.place(200.0 + f64::from(at), 150.0, "some-expert-7b"));
        assert_eq!(placed.count(), 6);
        for (at, one) in labels.taken.iter().enumerate().skip(6) {
            assert!(one.is_within(&frame));
            assert!(labels.taken[..at].iter().all(|other| other.overlap(one) == 0.0), "{one:?}");
        }
    }

    #[test]
    fn a_label_without_room_is_left_out() {
        let mut labels = Labels::new(Area { left: 0.0, top: 0.0, right: 30.0, bottom: 30.0 }, 12.0);
        assert_eq!(labels.place(15.0, 15.0, "a name that is much too long"), None);
    }
}
