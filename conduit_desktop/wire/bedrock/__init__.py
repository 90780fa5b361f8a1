"""Amazon Bedrock's Converse dialect: one shape for the models of every vendor there."""
