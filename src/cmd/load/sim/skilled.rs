//! Made-up skills in place of a model's signals, with a real certificate from made-up grades.

use crate::cmd::Failure;
use crate::cmd::load::prepare::wrong;
use sluice_load::study::Skills;
use sluice_load::virtual_time::{Asked, Length};
use sluice_router::{
    Ask, Cell, Certificate, Objective, Pairs, Route, certified_choice, certify_pairs, expected_cost,
};
use std::sync::Arc;

/// Skills, and the route that they certify.
pub(super) struct Skilled {
    skills: Skills,
    seed: u64,
    /// For each of the skills its expert, as an index into the fleet.
    experts: Vec<usize>,
    route: Arc<Route>,
}

/// Graded requests behind the certificate; other ones than those of the test.
const GRADED: u64 = 20_000;
const FIRST_GRADED: u64 = 1 << 40;

impl Skilled {
    /// Certifies the route of `ask` on requests of these lengths.
    pub(super) fn new(skills: Skills, seed: u64, ask: &Ask, lengths: &[Length]) -> Result<Skilled, Failure> {
        let place = |name: &str| {
            let found = ask.fleet.experts.iter().position(|expert| expert.name == name);
            found.ok_or_else(|| wrong(format!("--skills: no expert is called {name:?}")))
        };
        let experts: Vec<usize> =
            skills.experts.iter().map(|skill| place(&skill.expert)).collect::<Result<_, _>>()?;
        let mut skilled = Skilled { skills, seed, experts, route: ask.route.clone() };
        let certificate = skilled.certify(ask, lengths)?;
        skilled.route = Arc::new(Route { certificate: Some(certificate), ..(*ask.route).clone() });
        Ok(skilled)
    }

    fn certify(&self, ask: &Ask, lengths: &[Length]) -> Result<Certificate, Failure> {
        let Route { reference, quality_floor, confidence, .. } = *ask.route;
        let reference = self.experts.iter().position(|expert| *expert == reference);
        let reference =
            reference.ok_or_else(|| wrong("--skills must name the route's reference".to_owned()))?;
        let rows =
            (0..GRADED).map(|row| self.cells(ask, FIRST_GRADED + row, lengths[row as usize % lengths.len()]));
        let pairs = Pairs::from_rows(self.experts.len(), rows);
        certify_pairs(&pairs, reference, quality_floor, confidence)
            .map_err(|refusal| wrong(format!("--skills: the floor can't be certified: {refusal}")))
    }

    /// Each expert's offer, grade and cost.
    fn cells(&self, ask: &Ask, number: u64, length: Length) -> Vec<Cell> {
        let drawn = self.skills.draw(self.seed, number);
        let cell = |(at, expert): (usize, &usize)| {
            let signal = drawn.signal(at, length.output);
            let price = &ask.fleet.experts[*expert].price;
            let cost = |output| expected_cost(price, length.input, output).0 as f64;
            ((signal.p_capable, cost(signal.output_tokens)), drawn.grade(at), cost(f64::from(length.output)))
        };
        self.experts.iter().enumerate().map(cell).collect()
    }

    /// From now on the route makes this least.
    pub(super) fn set_objective(&mut self, objective: Objective) {
        self.route = Arc::new(Route { objective, ..(*self.route).clone() });
    }

    /// What was certified.
    pub(super) fn certificate(&self) -> &Certificate {
        self.route.certificate.as_ref().expect("it was certified when it was made")
    }

    /// The first of the skilled experts, as an index into the fleet.
    pub(super) fn first(&self) -> usize {
        self.experts[0]
    }

    /// Whether the first expert may answer this request.
    pub(super) fn may_go_first(&self, ask: &Ask, number: usize, length: Length) -> bool {
        let cells = self.cells(ask, number as u64, length);
        let offers = cells.iter().map(|(offer, _, _)| *offer);
        let choice = certified_choice(offers, self.certificate().lambda);
        choice.is_some_and(|choice| cells[0].0.0 >= cells[choice].0.0)
    }

    /// Gives a prompt what is drawn for its number.
    pub(super) fn endow(&self, asked: &mut Asked, number: usize, length: Length) {
        let drawn = self.skills.draw(self.seed, number as u64);
        let count = asked.ask.fleet.experts.len();
        asked.ask.route.clone_from(&self.route);
        asked.ask.signals.experts = vec![None; count];
        asked.grades = vec![None; count];
        // The length is for the engine to know; the router goes by what the model expects.
        asked.ask.needs.max_output_tokens = None;
        for (at, expert) in self.experts.iter().enumerate() {
            asked.ask.signals.experts[*expert] = Some(drawn.signal(at, length.output));
            asked.grades[*expert] = Some(drawn.grade(at));
        }
    }
}
