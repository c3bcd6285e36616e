//! The manifests: each fits its shape, and together they fit each other and the configuration that they carry.

use crate::Files;
use crate::shapes::{
    ConfigMap, Container, Labels, Namespace, NetworkPolicy, PodDisruptionBudget, Seccomp, SeccompType,
    Service, StatefulSet,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// All objects of all manifests.
#[derive(Default)]
struct Objects {
    config_maps: Vec<ConfigMap>,
    services: Vec<Service>,
    sets: Vec<StatefulSet>,
    budgets: Vec<PodDisruptionBudget>,
    policies: Vec<NetworkPolicy>,
}

pub(crate) fn complaints(files: &Files) -> Vec<String> {
    let (mut objects, mut out) = (Objects::default(), Vec::new());
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".yaml")) {
        match serde_saphyr::from_multiple::<Value>(text) {
            Ok(documents) if !documents.is_empty() => {
                out.extend(documents.into_iter().filter_map(|document| {
                    objects.add(document).err().map(|wrong| format!("{name}: {wrong}"))
                }));
            }
            Ok(_) => out.push(format!("{name}: no object in it")),
            Err(error) => out.push(format!("{name}: {error}")),
        }
    }
    // Objects that don't fit their shape are missing here; only whole sets can be compared.
    if out.is_empty() {
        out.extend(objects.complaints());
    }
    out
}

impl Objects {
    fn add(&mut self, document: Value) -> Result<(), String> {
        fn fit<T: DeserializeOwned>(document: Value) -> Result<T, String> {
            serde_json::from_value(document).map_err(|error| error.to_string())
        }
        let word = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match (word("apiVersion").as_str(), word("kind").as_str()) {
            ("v1", "Namespace") => drop(fit::<Namespace>(document)?),
            ("v1", "ConfigMap") => self.config_maps.push(fit(document)?),
            ("v1", "Service") => self.services.push(fit(document)?),
            ("apps/v1", "StatefulSet") => self.sets.push(fit(document)?),
            ("policy/v1", "PodDisruptionBudget") => self.budgets.push(fit(document)?),
            ("networking.k8s.io/v1", "NetworkPolicy") => self.policies.push(fit(document)?),
            (version, kind) => return Err(format!("no shape for {kind} of {version}")),
        }
        Ok(())
    }

    fn complaints(&self) -> Vec<String> {
        let [set] = self.sets.as_slice() else { return vec!["there must be one StatefulSet".to_owned()] };
        let [container] = set.spec.template.spec.containers.as_slice() else {
            return vec!["the pod must have one container".to_owned()];
        };
        let mut out = Vec::new();
        let mut expect = |holds: bool, wrong: String| {
            if !holds {
                out.push(wrong);
            }
        };
        self.meet(set, container, &mut expect);
        self.carry(set, container, &mut expect);
        confined(set, container, &mut expect);
        out
    }

    /// Names, labels and ports of one object are those of the other.
    fn meet(&self, set: &StatefulSet, container: &Container, expect: &mut impl FnMut(bool, String)) {
        let pod = &set.spec.template.metadata.labels;
        let selects =
            |labels: &Labels| !labels.is_empty() && labels.iter().all(|(k, v)| pod.get(k) == Some(v));
        let has_port = |name: &str| container.ports.iter().any(|port| port.name == name);
        expect(
            selects(&set.spec.selector.match_labels),
            "the StatefulSet selects no pod of its own".to_owned(),
        );
        for spread in &set.spec.template.spec.topology_spread_constraints {
            expect(selects(&spread.label_selector.match_labels), "the spread selects no pod".to_owned());
        }
        for service in &self.services {
            let name = &service.metadata.name;
            expect(selects(&service.spec.selector), format!("Service {name} selects no pod"));
            expect(
                selects(&service.metadata.labels),
                format!("Service {name} lacks the label of the others"),
            );
            for port in &service.spec.ports {
                let known = has_port(&port.target_port);
                expect(
                    known,
                    format!("Service {name} targets port {}, which no container has", port.target_port),
                );
            }
        }
        for budget in &self.budgets {
            expect(
                selects(&budget.spec.selector.match_labels),
                "the disruption budget selects no pod".to_owned(),
            );
            let enough = budget.spec.min_available < set.spec.replicas;
            expect(enough, "minAvailable leaves no pod to disrupt".to_owned());
        }
        for policy in &self.policies {
            expect(
                selects(&policy.spec.pod_selector.match_labels),
                "the network policy selects no pod".to_owned(),
            );
            for port in policy.spec.ingress.iter().flat_map(|rule| &rule.ports) {
                expect(has_port(&port.port), format!("the network policy names port {}", port.port));
            }
        }
        let wanted = &set.spec.service_name;
        let headless = self.services.iter().find(|service| service.metadata.name == *wanted);
        let is_headless = headless.is_some_and(|service| service.spec.cluster_ip.as_deref() == Some("None"));
        expect(is_headless, format!("no headless Service named {wanted}"));
        let counts = [self.services.len(), self.budgets.len(), self.policies.len(), self.config_maps.len()];
        expect(counts == [2, 1, 1, 1], format!("services, budgets, policies, config maps: {counts:?}"));
    }

    /// The configuration in the ConfigMap fits the pod that mounts it.
    fn carry(&self, set: &StatefulSet, container: &Container, expect: &mut impl FnMut(bool, String)) {
        let pod = &set.spec.template.spec;
        for volume in &pod.volumes {
            let known = self.config_maps.iter().any(|map| map.metadata.name == volume.config_map.name);
            expect(known, format!("no ConfigMap named {}", volume.config_map.name));
        }
        let claims = || set.spec.volume_claim_templates.iter().map(|claim| &claim.metadata.name);
        for mount in &container.volume_mounts {
            let known =
                claims().chain(pod.volumes.iter().map(|volume| &volume.name)).any(|name| *name == mount.name);
            expect(known, format!("the container mounts {}, which is no volume", mount.name));
        }
        let Some(text) = self.config_maps.first().and_then(|map| map.data.get("sluice.toml")) else {
            return expect(false, "no sluice.toml in a ConfigMap".to_owned());
        };
        let config: toml::Table = match text.parse() {
            Ok(config) => config,
            Err(error) => return expect(false, format!("sluice.toml: {error}")),
        };
        let server = |key: &str| config.get("server").and_then(|server| server.get(key));
        let port = |name: &str| {
            container.ports.iter().find(|port| port.name == name).map(|port| port.container_port)
        };
        for (key, name) in [("listen", "data"), ("admin_listen", "admin")] {
            let address = server(key).and_then(toml::Value::as_str).unwrap_or_default();
            let meets = port(name).is_some_and(|port| address == format!("0.0.0.0:{port}"));
            expect(
                meets,
                format!("server.{key} is {address:?}, the container's port {name} is {:?}", port(name)),
            );
        }
        let drain_ms = server("drain_ms").and_then(toml::Value::as_integer).unwrap_or(30_000);
        let grace_ms = pod.termination_grace_period_seconds as i64 * 1_000;
        expect(
            grace_ms >= drain_ms + 5_000,
            format!("drain_ms is {drain_ms}, the pod is killed after {grace_ms} ms"),
        );
        let journal = config["store"]["journal"].as_str().unwrap_or_default();
        let writable = container.volume_mounts.iter().filter(|mount| mount.read_only != Some(true));
        let kept = writable.filter(|mount| claims().any(|name| *name == mount.name));
        let inside =
            |mount: &crate::shapes::Mount| journal.starts_with(&format!("sqlite:{}/", mount.mount_path));
        expect(kept.into_iter().any(inside), "the journal is outside of every writable mount".to_owned());
        let named: Vec<&str> =
            entries(&config, "expert").filter_map(|expert| expert["name"].as_str()).collect();
        for reference in entries(&config, "route").filter_map(|route| route["reference"].as_str()) {
            expect(named.contains(&reference), format!("the route's reference {reference} is no expert"));
        }
    }
}

fn entries<'a>(config: &'a toml::Table, key: &str) -> impl Iterator<Item = &'a toml::Value> {
    config.get(key).and_then(toml::Value::as_array).into_iter().flatten()
}

/// The pod asks for as little as it can, and is probed where the gateway answers.
fn confined(set: &StatefulSet, container: &Container, expect: &mut impl FnMut(bool, String)) {
    let pod = &set.spec.template.spec;
    let security = &container.security_context;
    expect(
        pod.security_context.run_as_non_root && pod.security_context.run_as_user > 0,
        "runAsNonRoot".to_owned(),
    );
    let Seccomp { r#type: seccomp } = &pod.security_context.seccomp_profile;
    expect(*seccomp == SeccompType::RuntimeDefault, "seccompProfile".to_owned());
    expect(!pod.automount_service_account_token, "automountServiceAccountToken".to_owned());
    expect(security.read_only_root_filesystem, "readOnlyRootFilesystem".to_owned());
    expect(!security.allow_privilege_escalation, "allowPrivilegeEscalation".to_owned());
    expect(security.capabilities.drop == ["ALL"], "the container drops ALL capabilities".to_owned());
    let data = container.ports.iter().find(|port| port.name == "data").map(|port| port.container_port);
    expect(Some(container.startup_probe.grpc.port) == data, "startupProbe asks another port".to_owned());
    for (name, probe, path) in [
        ("livenessProbe", &container.liveness_probe, "/healthz"),
        ("readinessProbe", &container.readiness_probe, "/readyz"),
    ] {
        let meets = probe.http_get.path == path && probe.http_get.port == "admin";
        expect(meets, format!("{name} must ask {path} on the admin port"));
    }
    let image = format!("sluice:{}", env!("CARGO_PKG_VERSION"));
    expect(container.image == image, format!("the image is {}, this is {image}", container.image));
    expect(container.args == ["serve", "--config", "/etc/sluice/sluice.toml"], "args".to_owned());
    expect(container.resources.requests.contains_key("memory"), "no memory is requested".to_owned());
}
