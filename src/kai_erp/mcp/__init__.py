"""The MCP server: the connectors as tools for assistants."""
