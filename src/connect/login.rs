//! Java's ways to log in, as librdkafka's properties: JAAS login modules and callback handlers.

use super::jaas;
use super::store::{self, Named};
use super::translate::{Out, Setting, cannot};
use crate::model::Result;

impl Out<'_> {
    pub(super) fn handler(&mut self, setting: &Setting) -> Result<()> {
        let class = setting.value.trim().rsplit('.').next().unwrap_or_default();
        let known = [
            "OAuthBearerLoginCallbackHandler",
            "DefaultJwtRetriever",
            "ClientCredentialsJwtRetriever",
            "FileJwtRetriever",
        ];
        if known.contains(&class) {
            return Ok(());
        }
        Err(cannot(
            setting,
            "the class cannot be run here",
            "let a command print the token: -X sasl.oauthbearer.token.command='PROGRAM ARG…'",
        ))
    }

    pub(super) fn login(&mut self, setting: &Setting) -> Result<()> {
        let login = jaas::parse(&setting.value).map_err(|why| {
            cannot(
                setting,
                why,
                "write it as in Kafka's manual: CLASS required username=\"…\" password=\"…\";",
            )
        })?;
        let need = |name: &str| {
            login
                .get(name)
                .ok_or_else(|| cannot(setting, format!("{} has no {name}", login.module), "add it"))
        };
        match login.module.as_str() {
            "PlainLoginModule" | "ScramLoginModule" => {
                if login.get("tokenauth").is_some_and(|v| v == "true") {
                    return Err(cannot(
                        setting,
                        "delegation tokens (tokenauth) are not spoken here",
                        "use a user and a password",
                    ));
                }
                self.put("sasl.username", need("username")?, setting);
                self.put("sasl.password", need("password")?, setting);
            }
            "OAuthBearerLoginModule" => self.bearer(setting, &login)?,
            // librdkafka takes the ticket that kinit left; a key tab is named to it as a property.
            "Krb5LoginModule" => {
                for (option, key) in [
                    ("principal", "sasl.kerberos.principal"),
                    ("keyTab", "sasl.kerberos.keytab"),
                ] {
                    if let Some(value) = login.get(option) {
                        self.put(key, value, setting);
                    }
                }
                if let Some(service) = login.get("serviceName") {
                    self.put("sasl.kerberos.service.name", service, setting);
                }
            }
            "IAMLoginModule" => {
                return Err(cannot(
                    setting,
                    "AWS IAM is not spoken here",
                    "let a command print the token: sasl.mechanism=OAUTHBEARER with sasl.oauthbearer.token.command",
                ));
            }
            _ => {
                return Err(cannot(
                    setting,
                    "its login module is none of Plain, Scram, OAuthBearer and Krb5",
                    "use one of them",
                ));
            }
        }
        Ok(())
    }

    fn bearer(&mut self, setting: &Setting, login: &jaas::Login) -> Result<()> {
        let mut extensions = Vec::new();
        let option = |name: &str| login.get(name);
        for (name, value) in &login.options {
            match name.as_str() {
                "clientId" => self.put("sasl.oauthbearer.client.id", value, setting),
                "clientSecret" => self.put("sasl.oauthbearer.client.secret", value, setting),
                "scope" => self.put("sasl.oauthbearer.scope", value, setting),
                "ssl.truststore.location" => {
                    let named = Named {
                        key: "ssl.truststore.location",
                        path: value,
                        kind: option("ssl.truststore.type"),
                        password: option("ssl.truststore.password"),
                        key_password: None,
                    };
                    let trusted = self.read_store(&named)?.trusted;
                    self.put("https.ca.pem", trusted, setting);
                }
                "ssl.truststore.certificates" => {
                    let store =
                        store::split(value).map_err(|why| cannot(setting, why, "give certificates in PEM form"))?;
                    self.put("https.ca.pem", store.trusted, setting);
                }
                "ssl.truststore.type" | "ssl.truststore.password" | "ssl.protocol" | "ssl.enabled.protocols" => {}
                _ => match name.strip_prefix("extension_") {
                    Some(extension) => extensions.push(format!("{extension}={value}")),
                    None => {
                        return Err(cannot(
                            setting,
                            format!("the option {name} of OAuthBearerLoginModule cannot be translated"),
                            "leave it out, or let a command print the token: sasl.oauthbearer.token.command",
                        ));
                    }
                },
            }
        }
        if !extensions.is_empty() {
            self.put("sasl.oauthbearer.extensions", extensions.join(","), setting);
        }
        Ok(())
    }
}
