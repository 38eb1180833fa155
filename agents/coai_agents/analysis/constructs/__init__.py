"""Cloud resources that a program describes: AWS CDK in Python, JavaScript and TypeScript."""
