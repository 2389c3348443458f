"""One async API over the conversations of Clio, Circuit, Sunshine Conversations and Twilio."""
