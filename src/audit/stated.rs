//! Versions: how they compare, and what a person says that runs.

use super::fact::Component;
use std::fmt;

/// A release, as far as defaults and rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub u16, pub u16, pub u16);

impl Release {
    /// Reads `3.7`, `v3.7.1`, `4` or `4.1.0-rc1`; `None` when it does not begin with a number.
    pub fn parse(text: &str) -> Option<Release> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
        let mut parts = text.splitn(3, '.');
        let major = digits(parts.next()?).parse().ok()?;
        let mut rest = parts.map(|p| digits(p).parse().unwrap_or(0));
        Some(Release(major, rest.next().unwrap_or(0), rest.next().unwrap_or(0)))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.2 {
            0 => write!(f, "{}.{}", self.0, self.1),
            patch => write!(f, "{}.{}.{patch}", self.0, self.1),
        }
    }
}

/// The releases that a person says run. What is not said is taken from the files, or not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// Of Kafka brokers and controllers.
    pub kafka: Option<Release>,
    /// Of the Java client of Kafka.
    pub java: Option<Release>,
    /// Of librdkafka.
    pub librdkafka: Option<Release>,
    /// Of RabbitMQ nodes.
    pub rabbitmq: Option<Release>,
    /// Of RocketMQ brokers.
    pub rocketmq: Option<Release>,
}

impl Stated {
    /// What is said of a component.
    pub const fn of(&self, component: Component) -> Option<Release> {
        match component {
            Component::KafkaBroker | Component::AutoMq | Component::KafkaConnect => self.kafka,
            Component::KafkaClients | Component::KafkaStreams => self.java,
            Component::Librdkafka => self.librdkafka,
            Component::UnknownKafkaClient | Component::Application => None,
            Component::RabbitMq => self.rabbitmq,
            Component::RocketMq => self.rocketmq,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn releases_compare_by_number() {
        assert_eq!(Release::parse("v3.7.1"), Some(Release(3, 7, 1)));
        assert_eq!(Release::parse("4"), Some(Release(4, 0, 0)));
        assert_eq!(Release::parse("4.1.0-rc1"), Some(Release(4, 1, 0)));
        assert_eq!(Release::parse("latest"), None);
        assert!(Release::parse("3.10") > Release::parse("3.9.2"));
        assert_eq!(Release(3, 7, 0).to_string(), "3.7");
    }
}
