//! Brokers disturbed.
