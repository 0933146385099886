raise Exception("x")
