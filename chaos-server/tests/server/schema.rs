//! Whether an answer is what the served OpenAPI document says: the keywords that it uses, and no others.

use serde_json::Value;

/// Checks an answer to a request against the document.
pub(crate) fn check(document: &Value, method: &str, path: &str, status: u16, kind: &str, body: &[u8]) {
    let path = path.split('?').next().unwrap();
    let Some(operation) = operation(document, method, path) else {
        assert!(status == 404 || status == 405 || path == "/", "{method} {path} is not described and answers {status}");
        return;
    };
    let responses = &operation["responses"];
    let content = match &responses[status.to_string()] {
        Value::Null => &responses["default"]["content"],
        known => &known["content"],
    };
    let kind = kind.split(';').next().unwrap();
    let described = &content[kind];
    if kind.ends_with("json") {
        assert!(described.is_object(), "{method} {path} answers {status} with {kind}, which is not described");
        let body: Value = serde_json::from_slice(body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        let wrong = validate(document, &described["schema"], &body, "$");
        assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:?} in {body}");
    } else {
        assert!(described.is_object(), "{method} {path} answers {status} with {kind}, which is not described");
    }
}

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let given: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        let rest = template.ends_with("/{name}") && given.len() >= parts.len();
        (rest || parts.len() == given.len()) && parts.iter().zip(&given).all(|(t, g)| t.starts_with('{') || t == g)
    };
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .find(|(template, _)| fits(template))
        .map(|(_, path)| &path[method.to_lowercase()])
        .filter(|o| o.is_object())
}

/// What does not fit, and where.
pub(crate) fn validate(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (keyword, says) in schema.as_object().unwrap_or_else(|| panic!("{at}: no schema")) {
        match keyword.as_str() {
            "$ref" => {
                let pointer = says.as_str().unwrap().trim_start_matches('#');
                wrong.extend(validate(document, document.pointer(pointer).unwrap(), value, at));
            }
            "anyOf" => {
                let fits = says.as_array().unwrap().iter().any(|s| validate(document, s, value, at).is_empty());
                if !fits {
                    wrong.push(format!("{at}: {value} fits none of {says}"));
                }
            }
            "type" => {
                let types = says.as_array().cloned().unwrap_or_else(|| vec![says.clone()]);
                let is = |name: &Value| match name.as_str().unwrap() {
                    "null" => value.is_null(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                if !types.iter().any(is) {
                    wrong.push(format!("{at}: {value} is no {says}"));
                }
            }
            "enum" if !says.as_array().unwrap().contains(value) => {
                wrong.push(format!("{at}: {value} is none of {says}"));
            }
            "pattern" if value.is_string() => {
                let pattern = regex::Regex::new(says.as_str().unwrap()).unwrap();
                if !pattern.is_match(value.as_str().unwrap()) {
                    wrong.push(format!("{at}: {value} is not like {says}"));
                }
            }
            "required" if value.is_object() => {
                let missing = says.as_array().unwrap().iter().filter(|key| value.get(key.as_str().unwrap()).is_none());
                wrong.extend(missing.map(|key| format!("{at}: {key} is missing")));
            }
            "properties" | "additionalProperties" if value.is_object() => {
                for (key, value) in value.as_object().unwrap() {
                    let at = format!("{at}.{key}");
                    let known = schema["properties"].get(key);
                    match (keyword.as_str(), known) {
                        ("properties", Some(known)) => wrong.extend(validate(document, known, value, &at)),
                        ("additionalProperties", None) if says == &Value::Bool(false) => {
                            wrong.push(format!("{at}: not known"));
                        }
                        ("additionalProperties", None) => wrong.extend(validate(document, says, value, &at)),
                        _ => {}
                    }
                }
            }
            "items" if value.is_array() => {
                for (i, item) in value.as_array().unwrap().iter().enumerate() {
                    wrong.extend(validate(document, says, item, &format!("{at}[{i}]")));
                }
            }
            "enum"
            | "pattern"
            | "required"
            | "properties"
            | "additionalProperties"
            | "items"
            | "format"
            | "description" => {}
            other => panic!("{at}: this test does not know {other}"),
        }
    }
    wrong
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = serde_json::json!({ "type": "object", "additionalProperties": false, "required": ["a"],
        "properties": { "a": { "type": ["integer", "null"] }, "b": { "type": "array", "items": { "enum": ["x"] } } } });
    let wrong = |value: Value| validate(&Value::Null, &schema, &value, "$").len();
    use serde_json::json;
    assert_eq!((wrong(json!({ "a": 1, "b": ["x"] })), wrong(json!({ "a": null }))), (0, 0));
    assert_eq!((wrong(json!({})), wrong(json!({ "a": "1" })), wrong(json!({ "a": 1, "c": 1 }))), (1, 1, 1));
    assert_eq!((wrong(json!({ "a": 1, "b": ["y"] })), wrong(json!([]))), (1, 1));
}
