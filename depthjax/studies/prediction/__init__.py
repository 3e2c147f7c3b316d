"""Does linear theory predict what descents recover?"""
