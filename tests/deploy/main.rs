//! What `deploy/` promises: the manifests fit the shapes that Kubernetes knows and fit each other, the unit is hardened
//! and lets open streams end, the image runs as nobody in particular. No cluster, no systemd, no engine is needed.

mod image;
mod kubernetes;
mod shapes;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;

/// The files of `deploy/`, by path below it.
type Files = BTreeMap<String, String>;

fn files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let mut files = Files::new();
    for (folder, prefix) in [(root.clone(), ""), (root.join("kubernetes"), "kubernetes/")] {
        for entry in std::fs::read_dir(&folder).expect("deploy is part of the repository") {
            let entry = entry.expect("readable");
            if entry.file_type().expect("typed").is_file() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                files.insert(name, std::fs::read_to_string(entry.path()).expect("text"));
            }
        }
    }
    files
}

/// Everything that is wrong with these files, a line each.
fn complaints(files: &Files) -> Vec<String> {
    let mut out = kubernetes::complaints(files);
    out.extend(unit::complaints(&files["sluice.service"]));
    out.extend(image::complaints(&files["Dockerfile"]));
    out
}

#[test]
fn everything_in_deploy_holds_together() {
    let found = complaints(&files());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Breaks one file by one replacement and expects a complaint that contains `expected`.
fn broken(file: &str, from: &str, to: &str, expected: &str) {
    let mut files = files();
    let text = files.get_mut(file).expect("the file exists");
    assert!(text.contains(from), "{file} has no {from:?} that could be broken");
    *text = text.replacen(from, to, 1);
    let found = complaints(&files);
    assert!(found.iter().any(|line| line.contains(expected)), "{file}: {from:?} to {to:?} gave {found:#?}");
}

#[test]
fn a_misspelt_or_misplaced_key_is_found() {
    let set = "kubernetes/statefulset.yaml";
    broken(set, "readOnlyRootFilesystem", "readonlyRootFilesystem", "unknown field `readonlyRootFilesystem`");
    broken(set, "periodSeconds: 10", "periodSeconds: ten", "invalid type");
    broken(set, "  serviceName: sluice-pods\n", "", "missing field `serviceName`");
    broken("kubernetes/service.yaml", "kind: Service\n", "kind: Servce\n", "no shape for Servce of v1");
    broken(
        "kubernetes/poddisruptionbudget.yaml",
        "policy/v1",
        "policy/v1beta1",
        "no shape for PodDisruptionBudget",
    );
    broken("kubernetes/networkpolicy.yaml", "  ingress:\n", "  ingress: [\n", "networkpolicy.yaml: ");
}

#[test]
fn names_labels_and_ports_that_don_t_meet_are_found() {
    let set = "kubernetes/statefulset.yaml";
    broken(
        set,
        "serviceName: sluice-pods",
        "serviceName: sluice-pod",
        "no headless Service named sluice-pod",
    );
    broken(set, "name: sluice-config", "name: sluice-conf", "no ConfigMap named sluice-conf");
    broken(
        set,
        "mountPath: /var/lib/sluice",
        "mountPath: /data",
        "the journal is outside of every writable mount",
    );
    broken(
        set,
        "- name: state\n              mountPath",
        "- name: disk\n              mountPath",
        "mounts disk",
    );
    broken(set, "containerPort: 8080", "containerPort: 8081", "server.listen");
    broken(set, "containerPort: 9090", "containerPort: 9091", "server.admin_listen");
    broken("kubernetes/service.yaml", "targetPort: data", "targetPort: date", "port date");
    broken(
        "kubernetes/service.yaml",
        "name: sluice\nspec:\n  selector:\n",
        "name: x\nspec:\n  selector:\n",
        "label",
    );
    broken("kubernetes/networkpolicy.yaml", "- port: admin", "- port: admn", "port admn");
    let label = "matchLabels:\n      app.kubernetes.io/name: sluice";
    broken("kubernetes/poddisruptionbudget.yaml", label, &label.replace("sluice", "slice"), "selects no pod");
}

#[test]
fn a_pod_that_asks_for_too_much_or_dies_too_soon_is_found() {
    let set = "kubernetes/statefulset.yaml";
    broken(set, "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot");
    broken(set, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem");
    broken(set, "drop: [\"ALL\"]", "drop: [\"NET_RAW\"]", "drops ALL");
    broken(
        set,
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        "allowPrivilegeEscalation",
    );
    broken(set, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "drain_ms");
    broken(set, "path: /readyz", "path: /ready", "readinessProbe");
    broken(set, "path: /healthz", "path: /readyz", "livenessProbe");
    broken(set, "image: sluice:0.1.0", "image: sluice:latest", "image");
    broken("kubernetes/configmap.yaml", "drain_ms = 30000", "drain_ms = 60000", "drain_ms");
    broken("kubernetes/configmap.yaml", "[server]", "[server", "sluice.toml: ");
    broken(
        "kubernetes/configmap.yaml",
        "reference = \"general-70b\"",
        "reference = \"gpt\"",
        "reference gpt",
    );
}

#[test]
fn a_unit_without_its_hardening_or_its_drain_is_found() {
    let unit = "sluice.service";
    broken(unit, "ProtectSystem=strict\n", "", "ProtectSystem=strict");
    broken(unit, "DynamicUser=yes", "DynamicUser=no", "DynamicUser=yes");
    broken(unit, "TimeoutStopSec=45", "TimeoutStopSec=20", "TimeoutStopSec");
    broken(unit, "ExecReload=/bin/kill -HUP", "ExecReload=/bin/kill -TERM", "ExecReload");
    broken(unit, "[Install]\n", "", "[Install]");
    broken(unit, "Restart=on-failure\n", "Restart on-failure\n", "neither a section nor key=value");
    broken(unit, "[Unit]", "[Units]", "section Units");
}

#[test]
fn an_image_that_runs_as_root_or_starts_otherwise_is_found() {
    broken("Dockerfile", "USER 65532:65532", "USER root", "USER");
    broken("Dockerfile", "ENTRYPOINT [\"sluice\"]", "ENTRYPOINT sluice", "ENTRYPOINT");
    broken("Dockerfile", "FROM rust:1.95-slim-trixie", "FROM rust:1.60-slim-trixie", "older than");
    broken("Dockerfile", "FROM debian:trixie-slim", "FROM debian:bookworm-slim", "C library");
    broken("Dockerfile", "--locked ", "", "--locked");
    broken("Dockerfile", "EXPOSE 8080 9090", "EXPOSE 8080", "EXPOSE");
    broken("Dockerfile", "HEALTHCHECK", "LABEL", "HEALTHCHECK");
    broken("Dockerfile", "WORKDIR /src", "ARG API_KEY", "secret");
}
