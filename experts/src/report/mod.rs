//! What engines tell of their own load: one file a dialect, each the names that its metrics have.

mod llama_cpp;
mod prometheus;
mod sglang;
mod tgi;
mod vllm;

use prometheus::Samples;

/// What an engine tells of its load.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LoadReport {
    /// Requests that it is working on.
    pub running: u32,
    /// Requests that wait inside of it.
    pub waiting: u32,
    /// Share of its memory for contexts that is in use, 0 to 1; `None` when it doesn't tell.
    pub memory: Option<f64>,
}

/// The names of one engine's metrics.
pub struct Dialect {
    /// The engine.
    pub name: &'static str,
    /// Requests that it is working on.
    pub running: &'static str,
    /// Requests that wait.
    pub waiting: &'static str,
    /// Memory in use, by the names of newer and older versions.
    pub memory: &'static [&'static str],
}

/// Every dialect. The order is the order in the reference.
pub const DIALECTS: &[Dialect] = &[vllm::DIALECT, sglang::DIALECT, tgi::DIALECT, llama_cpp::DIALECT];

/// The load in a page of metrics in the Prometheus text format; `None` when no dialect's names are in it.
pub(crate) fn of_metrics(text: &str) -> Option<LoadReport> {
    let samples = Samples::of(text);
    DIALECTS.iter().find_map(|dialect| {
        let running = samples.sum(dialect.running)?;
        Some(LoadReport {
            running: count(running),
            waiting: samples.sum(dialect.waiting).map_or(0, count),
            memory: dialect
                .memory
                .iter()
                .find_map(|name| samples.most(name))
                .map(|share| share.clamp(0.0, 1.0)),
        })
    })
}

/// A number of requests; what can't be one is none, or very many.
fn count(value: f64) -> u32 {
    value.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u32, u32, Option<f64>)>) {
        let got = of_metrics(text).map(|report| (report.running, report.waiting, report.memory));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn every_dialect_is_understood() {
        check(
            "# TYPE vllm:num_requests_running gauge\n\
             vllm:num_requests_running{engine=\"0\",model_name=\"a\"} 3.0\n\
             vllm:num_requests_running{engine=\"1\",model_name=\"a\"} 2.0\n\
             vllm:num_requests_waiting{engine=\"0\",model_name=\"a\"} 1.0\n\
             vllm:num_requests_waiting_by_reason{engine=\"0\"} 9.0\n\
             vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a\"} 0.25\n\
             vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"a\"} 0.5\n",
            Some((5, 1, Some(0.5))),
        );
        check("vllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 0.125\n", Some((1, 0, Some(0.125))));
        check(
            "sglang:num_running_reqs{model_name=\"x\"} 4\nsglang:num_queue_reqs{model_name=\"x\"} 2\nsglang:token_usage{model_name=\"x\"} 0.28\n",
            Some((4, 2, Some(0.28))),
        );
        check("tgi_queue_size 7\ntgi_batch_current_size 12\n", Some((12, 7, None)));
        check(
            "# HELP llamacpp:requests_processing Number of requests processing\n\
             llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n",
            Some((2, 5, None)),
        );
    }

    #[test]
    fn a_page_without_a_known_name_tells_nothing() {
        for text in
            ["", "<html>not found</html>", "process_cpu_seconds_total 3\n", "vllm:num_requests_running{"]
        {
            check(text, None);
        }
    }

    #[test]
    fn absurd_values_are_no_overflow() {
        check("tgi_batch_current_size 1e300\ntgi_queue_size -4\n", Some((u32::MAX, 0, None)));
        check("tgi_batch_current_size NaN\n", None);
        check("sglang:num_running_reqs 1\nsglang:token_usage 1e9\n", Some((1, 0, Some(1.0))));
    }
}
