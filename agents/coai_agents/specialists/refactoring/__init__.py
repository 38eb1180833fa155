"""Code agent: refactorings by syntax trees and, where those do not reach, by a model."""
