"""AWS on a laptop: the gateway, its Glue engine, the warehouse server and the stack that holds them."""
