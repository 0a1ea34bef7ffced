//! Series of filesystems, from `df`. Owns which mounts are worth watching.

use std::collections::BTreeMap;

use super::{
    attributes,
    frame::{Frame, Mount},
    put,
};
use crate::model::Series;

/// Devices whose filesystems hold nobody's data, or are full by design.
const PSEUDO: [&str; 17] = [
    "devtmpfs",
    "udev",
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "efivarfs",
    "none",
    "shm",
    "ramfs",
    "rootfs",
    "overlay-ro",
    "squashfs",
    "nsfs",
];
/// Memory filesystems are watched only where people put files.
const MEMORY_POINTS: [&str; 2] = ["/tmp", "/var/tmp"];
/// Mounts that are watched.
const MAX_MOUNTS: usize = 32;

#[derive(Debug, Default)]
struct Samples {
    device: String,
    /// Row, used, limit and share of bytes.
    bytes: Vec<(usize, [f64; 3])>,
    /// Row and share of inodes.
    inodes: Vec<(usize, f64)>,
    /// Row and whether it can't be written.
    read_only: Vec<(usize, f64)>,
}

/// All filesystems by mount point.
#[derive(Debug, Default)]
pub(super) struct Filesystems(BTreeMap<String, Samples>);

impl Filesystems {
    pub(super) fn frame(&mut self, row: usize, frame: &Frame<'_>) {
        for mount in &frame.filesystems {
            // As df shows it: what is kept for root counts as neither used nor free.
            let share = share(mount);
            let fixed = frame.read_only.iter().any(|point| unescaped(point) == mount.point);
            if let Some(samples) = self.samples(mount).filter(|_| share.is_finite()) {
                put(&mut samples.bytes, row, [mount.used, mount.total, share]);
                put(&mut samples.read_only, row, if fixed { 1.0 } else { 0.0 });
            }
        }
        for mount in &frame.inodes {
            let share = share(mount);
            if let Some(samples) = self.samples(mount).filter(|_| share.is_finite()) {
                put(&mut samples.inodes, row, share);
            }
        }
    }

    pub(super) fn into_series(self, at: &[i64]) -> Vec<Series> {
        let mut all = Vec::new();
        for (point, samples) in &self.0 {
            let pairs = [("system.filesystem.mountpoint", point.as_str()), ("system.device", samples.device.as_str())];
            let mut add = |name: &str, unit: &str, values: Vec<(usize, f64)>| {
                if !values.is_empty() {
                    all.push(Series {
                        name: name.to_owned(),
                        unit: unit.to_owned(),
                        attributes: attributes(&pairs),
                        at: values.iter().map(|(row, _)| at[*row]).collect(),
                        values: values.into_iter().map(|(_, v)| v).collect(),
                    });
                }
            };
            let column = |i: usize| samples.bytes.iter().map(|(row, v)| (*row, v[i])).collect();
            add("system.filesystem.usage", "By", column(0));
            add("system.filesystem.limit", "By", column(1));
            add("system.filesystem.utilization", "1", column(2));
            add("system.filesystem.inodes.utilization", "1", samples.inodes.clone());
            // One that never could be written is meant to be so, and most always can.
            let turned = samples.read_only.iter().any(|(_, v)| *v != samples.read_only[0].1);
            add("system.filesystem.read_only", "1", if turned { samples.read_only.clone() } else { Vec::new() });
        }
        all
    }

    fn samples(&mut self, mount: &Mount<'_>) -> Option<&mut Samples> {
        if !is_watched(mount) || (self.0.len() >= MAX_MOUNTS && !self.0.contains_key(mount.point)) {
            return None;
        }
        // One device mounted at several places (bind mounts, subvolumes) is one filesystem: the first place stands for it.
        let block = mount.device.starts_with('/');
        if block && self.0.iter().any(|(point, s)| s.device == mount.device && point != mount.point) {
            return None;
        }
        let samples = self.0.entry(mount.point.to_owned()).or_default();
        if samples.device.is_empty() {
            mount.device.clone_into(&mut samples.device);
        }
        Some(samples)
    }
}

/// `/proc/mounts` writes a space as `\040` (getmntent(3)).
fn unescaped(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn share(mount: &Mount<'_>) -> f64 {
    mount.used / (mount.used + mount.free)
}

fn is_watched(mount: &Mount<'_>) -> bool {
    let under = |folder: &str| mount.point.strip_prefix(folder).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    if mount.total <= 0.0 || PSEUDO.contains(&mount.device) {
        return false;
    }
    // Another host's: a df that can't leave these out shows them.
    if mount.device.contains(":/") || mount.device.starts_with("//") {
        return false;
    }
    // Images are full by design.
    if ["/dev/loop", "/dev/sr", "/dev/ram"].iter().any(|d| mount.device.starts_with(d)) || under("/snap") {
        return false;
    }
    if mount.device == "tmpfs" {
        return MEMORY_POINTS.contains(&mount.point);
    }
    !["/proc", "/sys", "/dev", "/run"].into_iter().any(under)
}
