//! A recipe: a net and how to train it, as a TOML file a person reads.
//!
//! Recipes shipped with the crate are listed in [`SHIPPED`]; any other is a path. Everything a recipe may say is a
//! field here; an unknown key is an error.

mod layer;
mod quantise;
mod train;

use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

pub use layer::{Border, BorderName, Kind, Layer, Pair};
pub use quantise::{Calibrate, Qat, Quantise};
pub use train::{Course, EarlyStop, Init, Loss, Optimiser, Schedule, Train};

/// The recipes that come with the crate: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("digits", include_str!("../../recipes/digits.toml")),
    ("digits-4bit", include_str!("../../recipes/digits-4bit.toml")),
    ("digits-1989", include_str!("../../recipes/digits-1989.toml")),
    ("digits-bn", include_str!("../../recipes/digits-bn.toml")),
    ("fashion-28", include_str!("../../recipes/fashion-28.toml")),
    ("mnist-28", include_str!("../../recipes/mnist-28.toml")),
    ("plain-28", include_str!("../../recipes/plain-28.toml")),
    ("residual-28", include_str!("../../recipes/residual-28.toml")),
    ("separable-28", include_str!("../../recipes/separable-28.toml")),
    ("shuffle-28", include_str!("../../recipes/shuffle-28.toml")),
];

/// A net and how to train it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the output folder and the model.
    pub name: String,
    /// Data set it is made for: a known name or a path.
    pub data: String,
    /// How to train.
    pub train: Train,
    /// How to quantise.
    #[serde(default)]
    pub quantise: Quantise,
    /// How to train on in int8, once the float net is trained; absent, not at all.
    pub qat: Option<Qat>,
    /// The net, from input to output.
    #[serde(rename = "layer")]
    pub layers: Vec<Layer>,
}

impl Recipe {
    /// A shipped recipe by name, or a file.
    ///
    /// # Errors
    /// Where there is neither, or the text is not a recipe.
    pub fn load(name: &str) -> Result<Self> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse(name, text);
        }
        let path = Path::new(name);
        if !path.exists() && path.extension().is_none() {
            let known: Vec<&str> = SHIPPED.iter().map(|(shipped, _)| *shipped).collect();
            return Err(Error::new(format!(
                "recipe {name:?}: neither a file nor one of those shipped: {}",
                known.join(", ")
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
        Self::parse(name, &text)
    }

    /// Reads a recipe; `origin` names it in errors.
    ///
    /// # Errors
    /// Names the line where the text is not a recipe, or the key whose value is out of range.
    pub fn parse(origin: &str, text: &str) -> Result<Self> {
        let mut recipe: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            let what = e.message();
            Error::new(if line == 0 {
                format!("{origin}: {what}")
            } else {
                format!("{origin}:{line}: {what}")
            })
        })?;
        for (i, layer) in recipe.layers.iter().enumerate() {
            if let Kind::Conv2d { bits: Some(bits), .. }
            | Kind::DepthwiseConv2d { bits: Some(bits), .. }
            | Kind::Dense { bits: Some(bits), .. } = layer.kind
            {
                recipe.quantise.layers.insert(layer.name_at(i), bits);
            }
        }
        recipe.validate().map_err(|e| Error::new(format!("{origin}: {e}")))?;
        Ok(recipe)
    }

    /// Bits of a weight in every layer, whatever the recipe says; `None` changes nothing.
    pub fn set_bits(&mut self, bits: Option<u8>) {
        if let Some(bits) = bits {
            self.quantise.bits = bits;
            self.quantise.layers.clear();
            self.quantise.flash = None;
        }
    }

    /// Ranges that the types do not say. Called by [`Recipe::parse`]; again after a command line changed the recipe.
    ///
    /// # Errors
    /// Names the key and what it may be.
    pub fn validate(&self) -> Result<()> {
        let train = &self.train;
        let name_is_plain = self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !self.name.is_empty();
        require(name_is_plain, "name", &self.name, "letters, digits, '-' and '_'")?;
        require(train.epochs >= 1, "train.epochs", train.epochs, "at least 1")?;
        require((1..=65_536).contains(&train.batch), "train.batch", train.batch, "from 1 to 65536")?;
        share("train.label_smoothing", train.label_smoothing)?;
        let momentum = train.batch_norm_momentum;
        let some = momentum > 0.0 && momentum <= 1.0;
        require(some, "train.batch_norm_momentum", momentum, "above 0, at most 1")?;
        match train.optimiser {
            Optimiser::Sgd { momentum, weight_decay } => {
                share("train.optimiser.momentum", momentum)?;
                not_negative("train.optimiser.weight_decay", weight_decay)?;
            }
            Optimiser::Adamw { beta1, beta2, epsilon, weight_decay } => {
                share("train.optimiser.beta1", beta1)?;
                share("train.optimiser.beta2", beta2)?;
                let tiny = epsilon.is_finite() && epsilon > 0.0;
                require(tiny, "train.optimiser.epsilon", epsilon, "above 0")?;
                not_negative("train.optimiser.weight_decay", weight_decay)?;
            }
        }
        let Schedule { peak, end, warm_up, .. } = train.schedule;
        require(peak.is_finite() && peak > 0.0, "train.schedule.peak", peak, "above 0")?;
        not_negative("train.schedule.end", end)?;
        share("train.schedule.warm_up", warm_up)?;
        if let Some(stop) = train.early_stop {
            let some = stop.hold_out > 0.0 && stop.hold_out < 1.0;
            require(some, "train.early_stop.hold_out", stop.hold_out, "above 0 and below 1")?;
            require(stop.patience >= 1, "train.early_stop.patience", stop.patience, "at least 1")?;
        }
        if let Some(Qat { epochs, rate, imitate, temperature }) = self.qat {
            require(epochs >= 1, "qat.epochs", epochs, "at least 1")?;
            if let Some(rate) = rate {
                require(rate.is_finite() && rate > 0.0, "qat.rate", rate, "above 0")?;
            }
            if let Some(imitate) = imitate {
                require((0.0..=1.0).contains(&imitate), "qat.imitate", imitate, "from 0 to 1")?;
            }
            let warm = temperature.is_finite() && temperature > 0.0;
            require(warm, "qat.temperature", temperature, "above 0")?;
        }
        bits("quantise.bits", self.quantise.bits)?;
        for (layer, &of_layer) in &self.quantise.layers {
            bits(&format!("bits of layer {layer:?}"), of_layer)?;
        }
        require(!self.layers.is_empty(), "layer", "nothing", "at least one [[layer]]")?;
        for layer in &self.layers {
            if let Kind::Dropout { rate } = layer.kind {
                share("layer.rate of a dropout", rate)?;
            }
        }
        Ok(())
    }
}

fn require(holds: bool, key: &str, value: impl std::fmt::Display, range: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(format!("{key} is {value}; it must be {range}"))) }
}

fn share(key: &str, value: f32) -> Result<()> {
    require((0.0..1.0).contains(&value), key, value, "from 0 to below 1")
}

fn bits(key: &str, value: u8) -> Result<()> {
    require(matches!(value, 4 | 8), key, value, "8 or 4")
}

fn not_negative(key: &str, value: f32) -> Result<()> {
    require(value.is_finite() && value >= 0.0, key, value, "0 or above")
}

#[cfg(test)]
mod tests {
    use zipnet::ir::Shape;

    use super::*;
    use crate::build::build;

    fn text() -> String {
        SHIPPED[0].1.to_owned()
    }

    fn refused(text: &str) -> String {
        Recipe::parse("r.toml", text).expect_err("must be refused").to_string()
    }

    #[test]
    fn every_shipped_recipe_parses_under_its_name() {
        for (name, text) in SHIPPED {
            assert_eq!(Recipe::parse(name, text).expect("parses").name, *name);
        }
    }

    #[test]
    fn the_default_net_is_the_1989_one() {
        let recipe = Recipe::load("digits").expect("shipped");
        let blueprint = build(&recipe, Shape::new(16, 16, 1), 10, 1).expect("builds");
        assert_eq!(blueprint.net.params(), 9_760);
        assert_eq!(blueprint.net.macs(), 63_660);
        let weights = &blueprint.net.nodes[0].store.weights;
        assert!(weights.iter().all(|w| w.abs() <= 2.4 / 5.0) && weights.iter().any(|w| w.abs() > 0.4));
        assert_eq!(
            weights,
            &build(&recipe, Shape::new(16, 16, 1), 10, 1).expect("builds").net.nodes[0].store.weights
        );
        assert_ne!(
            weights,
            &build(&recipe, Shape::new(16, 16, 1), 10, 2).expect("builds").net.nodes[0].store.weights
        );
    }

    #[test]
    fn unknown_keys_are_named_with_their_line() {
        let line = text().lines().position(|l| l.starts_with("epochs")).expect("has epochs") + 1;
        let error = refused(&text().replace("epochs = 330", "epoch = 330"));
        assert!(error.starts_with(&format!("r.toml:{line}: ")) && error.contains("epoch"), "{error}");
        let error = refused(&text().replace("units = 30", "units = 30\nwidth = 3"));
        assert!(error.contains("width"), "{error}");
        let error = refused(&text().replace("peak = 8e-3", "peak = 8e-3\npeek = 1"));
        assert!(error.contains("peek"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (from, to, part) in [
            ("epochs = 330", "epochs = 0", "train.epochs is 0"),
            ("peak = 8e-3", "peak = -8e-3", "train.schedule.peak is -0.008"),
            ("peak = 8e-3", "peak = nan", "train.schedule.peak is NaN"),
            ("weight_decay = 0.1", "weight_decay = -0.1", "weight_decay is -0.1"),
            ("batch = 64", "batch = 0", "train.batch is 0"),
            ("rate = 0.25", "rate = 1.5", "rate of a dropout is 1.5"),
            ("label_smoothing = 0.0", "label_smoothing = 1.0", "label_smoothing is 1"),
            ("calibrate = \"min_max\"", "bits = 5", "quantise.bits is 5"),
            ("[quantise]", "[qat]\nepochs = 0\n[quantise]", "qat.epochs is 0"),
            ("[quantise]", "[qat]\nepochs = 1\nimitate = 2.0\n[quantise]", "qat.imitate is 2"),
            ("[quantise]", "[qat]\nepochs = 1\nrate = 0.0\n[quantise]", "qat.rate is 0"),
            ("[quantise]", "[qat]\nepochs = 1\ntemperature = 0.0\n[quantise]", "qat.temperature is 0"),
            ("units = 30", "units = 30\nbits = 2", "bits of layer \"h3\" is 2"),
            ("name = \"digits\"", "name = \"../digits\"", "name is ../digits"),
        ] {
            let error = refused(&text().replacen(from, to, 1));
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn bits_are_those_of_the_layer_else_of_all() {
        let changed = text()
            .replace("calibrate = \"min_max\"", "bits = 4")
            .replace("units = 30", "units = 30\nbits = 8")
            .replace("name = \"out\"", "bits = 8");
        let mut recipe = Recipe::parse("r.toml", &changed).expect("parses");
        let of = |recipe: &Recipe| ["h1", "h2", "h3", "8_dense"].map(|layer| recipe.quantise.bits_of(layer));
        assert_eq!(of(&recipe), [4, 4, 8, 8]);
        recipe.set_bits(None);
        assert_eq!(of(&recipe), [4, 4, 8, 8]);
        recipe.set_bits(Some(4));
        assert_eq!(of(&recipe), [4; 4]);
        let quantise = Recipe::parse("r.toml", &text()).expect("parses").quantise;
        assert_eq!(quantise, Quantise::default());
        assert_eq!(quantise.bits_of("h1"), 8);
        let error = refused(&text().replace("rate = 0.25", "rate = 0.25\nbits = 4"));
        assert!(error.contains("bits"), "{error}");
    }

    #[test]
    fn shapes_that_do_not_meet_name_the_layer() {
        let build_with = |from: &str, to: &str| {
            let recipe = Recipe::parse("r.toml", &text().replacen(from, to, 1)).expect("parses");
            build(&recipe, Shape::new(16, 16, 1), 10, 1).expect_err("must be refused").to_string()
        };
        let error = build_with("groups = 3", "groups = 5");
        assert!(error.contains("\"h2\"") && error.contains("8x8x12") && error.contains("groups"), "{error}");
        let error = build_with("padding = 2", "padding = 7");
        assert!(error.contains("\"h1\"") && error.contains("window"), "{error}");
        let error = build_with("units = 10", "units = 11");
        assert!(error.contains("11") && error.contains("10 classes"), "{error}");
        let error = build_with("name = \"h3\"", "name = \"h3\"\nfrom = [\"h9\"]");
        assert!(error.contains("\"h9\""), "{error}");
    }

    #[test]
    fn a_missing_recipe_says_what_there_is() {
        let error = Recipe::load("digit").expect_err("no such recipe").to_string();
        assert!(error.contains("digits"), "{error}");
        let error = Recipe::load("no/such/file.toml").expect_err("no such file").to_string();
        assert!(error.starts_with("no/such/file.toml: "), "{error}");
    }
}
