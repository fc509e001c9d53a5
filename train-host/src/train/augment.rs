//! Distortions of training images, fresh for each image and epoch.

use serde::Deserialize;

/// One distortion and when it applies.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Entry(toml::Table);
