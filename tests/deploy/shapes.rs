//! The shapes of the Kubernetes objects that `deploy/` uses, field by field: an unknown key doesn't fit.
//!
//! After the API reference of Kubernetes 1.34; fields that we don't use are left out on purpose, so that a new one is
//! looked up before it is written.

use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) type Labels = BTreeMap<String, String>;

macro_rules! shapes {
    ($($name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {$(
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[allow(dead_code, reason = "some fields are only there to be known")]
        pub(crate) struct $name { $(pub(crate) $field: $kind),* }
    )*};
}

shapes! {
    Meta { name: String, labels: Labels }
    Namespace { api_version: String, kind: String, metadata: Meta }
    ConfigMap { api_version: String, kind: String, metadata: Meta, data: BTreeMap<String, String> }

    Service { api_version: String, kind: String, metadata: Meta, spec: ServiceSpec }
    ServicePort { name: String, port: u16, target_port: String, app_protocol: Option<String> }

    StatefulSet { api_version: String, kind: String, metadata: Meta, spec: StatefulSetSpec }
    StatefulSetSpec {
        service_name: String, replicas: u32, pod_management_policy: Option<PodManagement>, selector: Selector,
        template: PodTemplate, volume_claim_templates: Vec<Claim>,
    }
    Selector { match_labels: Labels }
    PodTemplate { metadata: PodMeta, spec: PodSpec }
    PodMeta { labels: Labels }
    PodSpec {
        termination_grace_period_seconds: u64, automount_service_account_token: bool,
        security_context: PodSecurity, topology_spread_constraints: Vec<Spread>, containers: Vec<Container>,
        volumes: Vec<Volume>,
    }
    PodSecurity {
        run_as_non_root: bool, run_as_user: u32, run_as_group: u32, fs_group: u32, seccomp_profile: Seccomp,
    }
    Seccomp { r#type: SeccompType }
    Spread { max_skew: u32, topology_key: String, when_unsatisfiable: Unsatisfiable, label_selector: Selector }
    Container {
        name: String, image: String, args: Vec<String>, ports: Vec<ContainerPort>, env_from: Vec<EnvFrom>,
        startup_probe: GrpcProbe, liveness_probe: HttpProbe, readiness_probe: HttpProbe, resources: Resources,
        security_context: ContainerSecurity, volume_mounts: Vec<Mount>,
    }
    ContainerPort { name: String, container_port: u16 }
    EnvFrom { secret_ref: SecretRef }
    SecretRef { name: String, optional: bool }
    GrpcProbe { grpc: GrpcAction, period_seconds: u32, failure_threshold: u32 }
    GrpcAction { port: u16 }
    HttpProbe { http_get: HttpAction, period_seconds: u32, timeout_seconds: u32, failure_threshold: u32 }
    HttpAction { path: String, port: String }
    Resources { requests: BTreeMap<String, String>, limits: Option<BTreeMap<String, String>> }
    ContainerSecurity { allow_privilege_escalation: bool, read_only_root_filesystem: bool, capabilities: Capabilities }
    Capabilities { drop: Vec<String> }
    Mount { name: String, mount_path: String, read_only: Option<bool> }
    Volume { name: String, config_map: ConfigMapVolume }
    ConfigMapVolume { name: String }
    Claim { metadata: ClaimMeta, spec: ClaimSpec }
    ClaimMeta { name: String }
    ClaimSpec { access_modes: Vec<AccessMode>, resources: Resources }

    PodDisruptionBudget { api_version: String, kind: String, metadata: Meta, spec: BudgetSpec }
    BudgetSpec { min_available: u32, selector: Selector }

    NetworkPolicy { api_version: String, kind: String, metadata: Meta, spec: PolicySpec }
    PolicySpec { pod_selector: Selector, policy_types: Vec<PolicyType>, ingress: Vec<Ingress> }
    Ingress { from: Vec<Peer>, ports: Vec<PolicyPort> }
    Peer { pod_selector: Option<Selector>, namespace_selector: Option<Selector> }
    PolicyPort { port: String }
}

/// Apart from the others, since serde would spell its field `clusterIp`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceSpec {
    #[serde(rename = "clusterIP")]
    pub(crate) cluster_ip: Option<String>,
    pub(crate) selector: Labels,
    pub(crate) ports: Vec<ServicePort>,
}

macro_rules! words {
    ($($name:ident { $($word:ident),* })*) => {$(
        #[derive(Debug, PartialEq, Deserialize)]
        #[allow(dead_code, clippy::enum_variant_names, reason = "Kubernetes' words, only there to be known")]
        pub(crate) enum $name { $($word),* }
    )*};
}

words! {
    PodManagement { OrderedReady, Parallel }
    SeccompType { RuntimeDefault, Localhost, Unconfined }
    Unsatisfiable { DoNotSchedule, ScheduleAnyway }
    AccessMode { ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod }
    PolicyType { Ingress, Egress }
}
