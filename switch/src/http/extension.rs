//! What others serve on the switch's HTTP port: their routes, and their part of the description.
//!
//! The website is not the switch's to know. It hands over routers that carry their own state; here
//! they get the layers of the API that they belong under, and one address serves all.

use axum::Router;
use serde_json::Value;

/// Routes of somebody else, under the API's rules. The default has none.
#[derive(Default)]
pub struct Extension {
    /// Below `/v1`, for whoever reaches the port: they look themselves who is asking.
    pub anyone: Router,
    /// Below `/v1`, with the operator's bearer token and `Idempotency-Key`.
    pub operator: Router,
    /// Below `/v1`, with the operator's bearer token, for bodies too large to be kept with a key;
    /// each route sets its own bound.
    pub uploads: Router,
    /// Everything that the API does not know, with a fallback of its own.
    pub pages: Option<Router>,
    /// Paths and components to be merged into the served description.
    pub openapi: Value,
}

impl Extension {
    /// Adds paths and components to be merged into the served description.
    pub fn describe(&mut self, more: &Value) {
        if self.openapi.is_null() {
            self.openapi = Value::Object(serde_json::Map::new());
        }
        merge(&mut self.openapi, more);
    }

    /// The description `base` (JSON text) with the extension's paths and components.
    pub(super) fn described(&self, base: &str) -> String {
        let Ok(mut description) = serde_json::from_str::<Value>(base) else {
            return base.to_owned();
        };
        merge(&mut description, &self.openapi);
        description.to_string()
    }
}

/// Adds what `more` has and `base` has not, object by object.
fn merge(base: &mut Value, more: &Value) {
    let (Value::Object(base), Value::Object(more)) = (base, more) else {
        return;
    };
    for (key, value) in more {
        match base.get_mut(key) {
            Some(known) => merge(known, value),
            None => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_gains_paths_and_keeps_its_own() {
        let openapi = json!({"paths": {"/v1/b": {"get": {}}, "/v1/a": {"get": 2}}, "info": {}});
        let extension = Extension { openapi, ..Extension::default() };
        let merged = extension.described(r#"{"openapi":"3.1.0","paths":{"/v1/a":{"get":1}}}"#);
        let merged: Value = serde_json::from_str(&merged).unwrap();
        let wanted = json!({
            "openapi": "3.1.0", "paths": {"/v1/a": {"get": 1}, "/v1/b": {"get": {}}}, "info": {},
        });
        assert_eq!(merged, wanted);
    }
}
