//! The systemd unit: sections and keys that exist, hardening that is on, a stop that waits for the drain.

use std::collections::BTreeMap;

/// Keys by section; a key may be given more than once.
type Unit = BTreeMap<String, Vec<(String, String)>>;

pub(crate) fn complaints(text: &str) -> Vec<String> {
    let (unit, mut out) = parse(text);
    for section in unit.keys().filter(|name| !["Unit", "Service", "Install"].contains(&name.as_str())) {
        out.push(format!("sluice.service: section {section} is unknown"));
    }
    for (section, line) in REQUIRED {
        let (key, value) = line.split_once('=').expect("key=value");
        let given = unit.get(*section).into_iter().flatten();
        if !given.into_iter().any(|(k, v)| k == key && v == value) {
            out.push(format!("sluice.service: [{section}] {line} is missing"));
        }
    }
    let stop = unit.get("Service").into_iter().flatten().find(|(key, _)| key == "TimeoutStopSec");
    let seconds: u64 = stop.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    if seconds < DRAIN_S + 5 {
        out.push(format!("sluice.service: TimeoutStopSec={seconds} cuts a drain of {DRAIN_S} s"));
    }
    out
}

fn parse(text: &str) -> (Unit, Vec<String>) {
    let (mut unit, mut out, mut section) = (Unit::new(), Vec::new(), String::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            unit.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.contains(' ')) {
            unit.entry(section.clone()).or_default().push((key.to_owned(), value.to_owned()));
        } else {
            out.push(format!("sluice.service: {line:?} is neither a section nor key=value"));
        }
    }
    (unit, out)
}

/// The default of `server.drain_ms`, in seconds.
const DRAIN_S: u64 = 30;

/// Section and line; the empty capability sets are as wanted as the words.
const REQUIRED: &[(&str, &str)] = &[
    ("Service", "Type=exec"),
    ("Service", "ExecStart=/usr/bin/sluice serve --config /etc/sluice/sluice.toml"),
    ("Service", "ExecStartPre=/usr/bin/sluice config check /etc/sluice/sluice.toml"),
    ("Service", "ExecReload=/bin/kill -HUP $MAINPID"),
    ("Service", "Restart=on-failure"),
    ("Service", "RestartPreventExitStatus=2"),
    ("Service", "KillSignal=SIGTERM"),
    ("Service", "DynamicUser=yes"),
    ("Service", "StateDirectory=sluice"),
    ("Service", "WorkingDirectory=/var/lib/sluice"),
    ("Service", "ProtectSystem=strict"),
    ("Service", "ProtectHome=yes"),
    ("Service", "PrivateTmp=yes"),
    ("Service", "PrivateDevices=yes"),
    ("Service", "NoNewPrivileges=yes"),
    ("Service", "CapabilityBoundingSet="),
    ("Service", "MemoryDenyWriteExecute=yes"),
    ("Service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"),
    ("Service", "SystemCallFilter=@system-service"),
    ("Install", "WantedBy=multi-user.target"),
];
